#!/usr/bin/env bash
# run.sh - runs the harness: "short" within 10 minutes on 2 cores, "full" all
# of it at full size; at the end ours, limits and peers against the marks.
#
# usage: bench/run.sh short | full [-o json]
#
# Sets are made below $BENCH_DIR (a temporary folder, if not set, removed at
# the end); a folder that is kept saves making them the next time.  What was
# measured is kept in $BENCH_OUT (build/bench): report.txt as it was printed,
# marks.txt, results.json with every figure, and plots.  With -o json the
# report goes to standard error and results.json to standard output.  The exit
# status is 1 when something could not be measured, not when a mark is missed;
# a peer that is not installed is left out by name.
set -eu
cd "$(dirname "$0")/.."
bench=$(realpath "${BUILD:-build}")/postern-bench
usage="usage: bench/run.sh short | full [-o json]"

case ${1:-} in
short) scale=0.1 tenth=0.01 rounds=5 time=300ms stall=0.02 nodes=200
	fleet_rounds=3 events=50000 smtp_time=500ms peer_time=300ms
	peer_rounds=3 settle=60 ;;
full) scale=1 tenth=0.1 rounds=7 time=2s stall=0.1 nodes=1000
	fleet_rounds=5 events=1000000 smtp_time=2s peer_time=1s
	peer_rounds=5 settle=480 ;;
*)
	echo "$usage" >&2
	exit 2
	;;
esac
case "${2:-} ${3:-}" in
" ") form=table ;;
"-o json") form=json ;;
*)
	echo "$usage" >&2
	exit 2
	;;
esac

out=${BENCH_OUT:-$(dirname "$bench")/bench}
mkdir -p "$out"
out=$(realpath "$out")
rm -f "$out"/results.ndjson "$out"/*.svg
export BENCH_SAVE=$out/results.ndjson BENCH_STEP SETTLE_S=$settle
dir=${BENCH_DIR:-}
if [ -z "$dir" ]; then
	dir=$(mktemp -d)
	trap 'rm -rf "$dir"' EXIT
fi
failed=0

# run TITLE COMMAND...: run it and go on, so that one failure costs no other;
# 77 leaves it out
run() {
	local status=0 begin=$SECONDS
	BENCH_STEP=$1
	printf '\n== %s: %s\n' "$1" "${*:2}"
	"${@:2}" || status=$?
	echo "($((SECONDS - begin)) s)"
	[ "$status" = 0 ] || [ "$status" = 77 ] || {
		echo "FAILED with status $status: $1"
		failed=1
	}
}

# step TITLE ARGUMENT...; script TITLE NAME ARGUMENT...
step() {
	run "$1" "$bench" "${@:2}"
}

script() {
	run "$1" "bench/$2.sh" "${@:3}"
}

all() {
	local whole=(--scale "$scale" --dir "$dir/whole" --rounds "$rounds")
	echo "$(date -u +%Y-%m-%dT%H:%M:%SZ), $("$bench" --version)," \
	    "commit $(git rev-parse --short HEAD 2>/dev/null || echo unknown)," \
	    "$(nproc) cores, load $(cut -d' ' -f1-3 /proc/loadavg)"
	grep -m 1 'model name' /proc/cpuinfo || true

	step "set and start" set --scale "$scale" --dir "$dir/whole"
	step "decision" decide "${whole[@]}"
	step "decision, two threads" decide "${whole[@]}" --threads 2 \
	    --mix miss
	step "decision, a tenth of the set" decide --scale "$tenth" \
	    --dir "$dir/tenth" --rounds "$rounds" --mix miss
	step "decision, 100 policies" decide --scale "$scale" \
	    --policies 100 --dir "$dir/few" --rounds "$rounds" --mix miss
	step "deltas" delta --rounds "$rounds"
	step "fronts" fronts "${whole[@]}" --time "$time" \
	    --settle "${settle}s"
	step "fleet" fleet --nodes "$nodes" --rounds "$fleet_rounds" \
	    --scale "$scale" --real-set "$dir/whole"
	step "events" events --events "$events" --rounds "$fleet_rounds"
	step "events of four nodes" events --nodes 4 \
	    --events "$((events / 4))" --rounds "$fleet_rounds"
	step "join" join "${whole[@]}"
	script "latency while the policy changes" stall "$stall" \
	    --plot "$out/stall.svg"
	script "through Postfix" smtp "$dir/whole" "$scale" \
	    --rounds "$rounds" --time "$smtp_time"
	script "milters" milter "$dir/whole" "$scale" --rounds "$peer_rounds" \
	    --time "$peer_time"
	script "beside its peers" peers "$dir/whole" "$scale" \
	    --rounds "$peer_rounds" --time "$peer_time" \
	    --plot "$out/latency"
	echo
	echo "load at the end: $(cut -d' ' -f1-3 /proc/loadavg)," \
	    "after $SECONDS s; kept in $out"
	unset BENCH_STEP
	BENCH_SAVE='' "$bench" marks --results "$out/results.ndjson" |
	    tee "$out/marks.txt"
	BENCH_SAVE='' "$bench" marks --results "$out/results.ndjson" \
	    -o json >"$out/results.json"
	return "$failed"
}

if [ "$form" = json ]; then
	all 2>&1 | tee "$out/report.txt" >&2
	status=${PIPESTATUS[0]}
	cat "$out/results.json"
else
	all 2>&1 | tee "$out/report.txt"
	status=${PIPESTATUS[0]}
fi
exit "$status"
