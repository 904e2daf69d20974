#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# expect-findings.sh - expected.tsv and play.tsv joined: organisation, rule, host, count; prints ../expected-findings.tsv.
# Usage: expect-findings.sh SAMPLE. The Windows file holds two hosts; its counts are split by the Hostname of the event.
set -eu
cd "$1"
windows() { # RULE COUNT: process rules and LSASS are of the workstation, the rest of the domain controller
	local host=dc01.tpmau.tinhmau.example.vn
	grep -rl "^id: $1" ../rules/windows | grep -q 'powershell\|lsass' && host=pc17.tpmau.tinhmau.example.vn
	printf 'tpmau\t%s\t%s\t%s\n' "$1" "$host" "$2"
}
while IFS=$'\t' read -r file rule count; do
	if [ "$file" = windows-written.ndjson ]; then
		windows "$rule" "$count"
	else
		awk -F'\t' -v f="$file" -v r="$rule" -v n="$count" '$1 == f {print $5 "\t" r "\t" $3 "\t" n}' play.tsv
	fi
done < expected.tsv | awk -F'\t' '{n[$1 "\t" $2 "\t" $3] += $4} END {for (k in n) print k "\t" n[k]}' | LC_ALL=C sort
