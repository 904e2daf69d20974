#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Events a second on one core with every rule of a folder loaded, and the peak memory.
# Use: bench/sigma.sh KHIEN RULES EVENTS... (the program's own statistics, then the number of matched pairs).
khien=$1 rules=$2
shift 2
out=$(mktemp)
taskset -c 0 /usr/bin/env KHIEN_LANG=en "$khien" sigma match --rules "$rules" --counts --stats "$@" 2>"$out" >"$out.counts"
code=$?
tail -n 1 "$out"
echo "matched_pairs=$(wc -l <"$out.counts")"
rm -f "$out" "$out.counts"
exit $code
