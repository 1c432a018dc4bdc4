#!/usr/bin/env bash
# run.sh - runs the harness: "short" within 10 minutes on 2 cores, "full" all
# of it at full size.
#
# usage: bench/run.sh short | full
#
# Sets are made below $BENCH_DIR (a temporary folder, if not set, removed at
# the end); a folder that is kept saves making them the next time.
set -eu
cd "$(dirname "$0")/.."
bench=$(realpath "${BUILD:-build}")/postern-bench

case ${1:-} in
short) scale=0.1 tenth=0.01 rounds=5 time=500ms cases=short stall=0.02
	nodes=200 fleet_rounds=3 ;;
full) scale=1 tenth=0.1 rounds=9 time=2s cases=all stall=0.1
	nodes=1000 fleet_rounds=5 ;;
*)
	echo "usage: bench/run.sh short | full" >&2
	exit 2
	;;
esac

dir=${BENCH_DIR:-}
if [ -z "$dir" ]; then
	dir=$(mktemp -d)
	trap 'rm -rf "$dir"' EXIT
fi

# step TITLE ARGUMENT...: run it and go on, so that one failure costs no other
failed=0
step() {
	printf '\n== %s: postern-bench %s\n' "$1" "${*:2}"
	"$bench" "${@:2}" || failed=1
}

echo "$(date -u +%Y-%m-%dT%H:%M:%SZ), $("$bench" --version)," \
    "$(nproc) cores, load $(cut -d' ' -f1-3 /proc/loadavg)"
grep -m 1 'model name' /proc/cpuinfo || true

step "set and start" set --scale "$scale" --dir "$dir/whole"
step "decision" decide --scale "$scale" --dir "$dir/whole" --rounds "$rounds"
step "decision, two threads" decide --scale "$scale" --dir "$dir/whole" \
    --rounds "$rounds" --threads 2 --mix miss
step "decision, a tenth of the set" decide --scale "$tenth" \
    --dir "$dir/tenth" --rounds "$rounds" --mix miss
step "decision, 100 policies" decide --scale "$scale" --policies 100 \
    --dir "$dir/few" --rounds "$rounds" --mix miss
step "deltas" delta --rounds "$rounds"
step "fronts" fronts --scale "$scale" --dir "$dir/whole" \
    --rounds "$rounds" --time "$time" --cases "$cases"
step "fleet" fleet --nodes "$nodes" --rounds "$fleet_rounds"

# script TITLE COMMAND...: the same for a script beside this one
script() {
	printf '\n== %s: %s\n' "$1" "${*:2}"
	"${@:2}" || failed=1
}
script "latency while the policy changes" bench/stall.sh "$stall"
script "through Postfix" bench/smtp.sh "$dir/whole" "$scale" \
    --rounds "$rounds" --time 1s
script "through Postfix, ten recipients" bench/smtp.sh "$dir/whole" \
    "$scale" --rounds "$rounds" --time 1s --recipients 10
script "beside rspamd" bench/peers.sh "$dir/whole" "$scale" \
    --rounds "$rounds" --time 1s
exit "$failed"
