#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# all.sh BUILD - every benchmark, one table: what, figure, under which conditions. About half a minute. What cannot be
# measured here (third-party data or wrk missing) is a row that says so.
set -u
build=$1 root=$(cd "$(dirname "$0")/.." && pwd)
data=$root/../shared/data/detection work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

row() { printf '%-34s %16s  %s\n' "$1" "$2" "$3"; }
key() { tr ' ' '\n' <"$2" | sed -n "s/^$1=//p" | head -n 1; }

sigma() { # NAME RULES EVENTS...
	name=$1
	shift
	if ! "$root/bench/sigma.sh" "$build/src/cli/khien" "$@" >"$work/sigma" 2>&1; then
		row "$name" failed "$(tail -n 1 "$work/sigma")"
		return
	fi
	row "$name, events/s" "$(key events_per_s "$work/sigma")" "$(key rules "$work/sigma") rules, $(key events "$work/sigma") events, one core"
	row "$name, start ms" "$(key build_ms "$work/sigma")" "$(key databases "$work/sigma") databases"
	row "$name, peak KiB" "$(key peak_kib "$work/sigma")" ""
}

web() {
	if ! command -v wrk >/dev/null; then
		row 'web, requests/s' 'not measured' 'wrk is not installed (apt-get install wrk)'
		return
	fi
	"$build/bench/bench_web" 6 >"$work/web" &
	pid=$! port=
	for _ in 1 2 3 4 5 6 7 8 9 10; do
		port=$(sed -n 's/^port //p' "$work/web")
		[ -n "$port" ] && break
		sleep 0.1
	done
	wrk -t1 -c50 -d4s "http://127.0.0.1:$port/" >"$work/wrk" 2>&1
	wait $pid
	row 'web, requests/s' "$(awk '/^Requests\/sec/ { print int($2) }' "$work/wrk")" '50 connections, no TLS, wrk on the same machine'
	row 'web, peak KiB' "$(awk '/^end VmHWM/ { print $3 }' "$work/web")" ''
}

printf '%-34s %16s  %s\n' what figure conditions
"$build/bench/bench_json" 2 "$root"/share/sample/logs/* >"$work/json"
row 'parse, events/s' "$(awk '{ print $1 }' "$work/json")" "the sample's logs, one core"
sigma 'Sigma, own rules' "$root/share/rules" "$root"/share/sample/logs/*
mkdir "$work/archive" "$work/store"
archive=$(ls "$data"/sigma-rules-*.tar.zst 2>/dev/null | head -n 1)
if [ -n "$archive" ] && zstdcat "$archive" | tar -x -C "$work/archive" 2>/dev/null; then
	sigma 'Sigma, archive' "$(ls -d "$work"/archive/*/rules | head -n 1)" "$data"/events/otrf__*windows*.zst "$data"/events/evtxattack__*.zst
else
	row 'Sigma, archive' 'not measured' 'the rule archive is not beside this checkout, or zstd is missing'
fi
"$build/bench/bench_store" "$work/store" >"$work/lines"
for what in one_known hundred_new hundred_known; do
	grep "^$what " "$work/lines" >"$work/line"
	row "store, $what, findings/s" "$(key findings_s "$work/line")" "$(key batch_us "$work/line") us a synced batch"
done
row 'store, peak KiB' "$(key peak_kib "$work/lines")" ''
web
