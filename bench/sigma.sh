#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Events a second on one core with every rule of a folder loaded, and the peak memory.
# Use: bench/sigma.sh KHIEN RULES EVENTS... (the last line of the program's own statistics, then kilobytes).
khien=$1 rules=$2
shift 2
out=$(mktemp)
taskset -c 0 /usr/bin/env KHIEN_LANG=en "$khien" sigma match --rules "$rules" --counts --stats "$@" 2>"$out" >"$out.counts" &
pid=$!
peak=0
while kill -0 $pid 2>/dev/null; do
	now=$(awk '/^VmHWM/ { print $2 }' /proc/$pid/status 2>/dev/null)
	[ -n "$now" ] && peak=$now
	sleep 0.1
done
wait $pid
code=$?
tail -n 1 "$out"
echo "peak_kB=$peak matched_pairs=$(wc -l <"$out.counts")"
rm -f "$out" "$out.counts"
exit $code
