#!/usr/bin/env bash
# stall.sh - latency of a node under a load while its policy changes: deltas of
# 1 and of 1,000 records, a change that travels as a snapshot, and the scrub
# that follows it, through "postern dev" and the command line.
#
# usage: bench/stall.sh [SCALE [CONNECTIONS]] [ARGUMENT of postern-bench stall...]
#
# The load is RATE requests a second (5,000), so that the machine has room for
# the controller and the command line: what is then late is late by the node.
# RATE=0 asks as fast as answers come.  The null server gets the same load at
# the same time; where it is late too, it was the machine.
. "$(dirname "$0")/../tests/lib/system.sh"
bench=$BUILD/postern-bench
scale=0.05 connections=16 rate=${RATE:-5000}
[[ ${1:--} = -* ]] || { scale=$1; shift; }
[[ ${1:--} = -* ]] || { connections=$1; shift; }
changes=$dir/changes
seconds=35

# change NAME COMMAND...: made and noted with when it began and was enforced;
# a quiet time goes before it, to compare with
change() {
	local name=$1 begin
	shift
	sleep 0.5
	begin=$(now_ms)
	"$@" >>"$dir/change.log" 2>&1 || die "$*" "$dir/change.log"
	echo "$begin $(now_ms) $name" >>"$changes"
}

# entries PREFIX N: so many domains, one a line
entries() {
	seq -f "$1%06.0f.example" "$2"
}

add_thousand() {
	entries "k$1-" 1000 | "$postern" group add list-001 - --wait
}

# The user must be one of the directory for a list of his own.
import_many() {
	local user
	user=$(sed -n 2p "$dir/set/directory.csv")
	entries "$1-" 20000 | sed "s/^/$user,block,/" >"$dir/many.csv"
	"$postern" sender import "$dir/many.csv" --wait
}

# scrubs: how many the node has finished
scrubs() {
	cat "$dev_dir"/*/log | grep -c scrub.proved
}

scrubbed() {
	[ "$(scrubs)" -gt "$1" ]
}

"$bench" document --scale "$scale" --out "$dir/set" ||
    die "the set cannot be written"
start_dev --nodes 1 --policy "$dir/set/policy.yaml"
"$postern" directory import "$dir/set/directory.csv" --wait >"$dir/out" 2>&1 &&
    "$postern" sender import "$dir/set/senders.csv" --wait=120s \
	>"$dir/out" 2>&1 || die "the set does not go in" "$dir/out"
until_true 120 scrubbed 0 || die "the set is not proved"

: >"$changes"
start "$dir/null.log" "$bench" null --listen "unix:$dir/null"
until_true 10 [ -S "$dir/null" ] || die "no null server" "$dir/null.log"
"$bench" stall --scale "$scale" --target "unix:${node_unix[0]}" \
    --beside "unix:$dir/null" --rate "$rate" \
    --pid "${node_pid[0]}" --connections "$connections" \
    --time "${seconds}s" --changes "$changes" "$@" >"$dir/report" \
    2>"$dir/stall.log" &
load=$!
started+=("$load")
begin=$SECONDS
until_true 3 eval "[ \$((SECONDS - $begin)) -ge 2 ]"

for i in $(seq 15); do
	change "delta of 1" "$postern" group add list-001 "one$i.example" --wait
done
for i in $(seq 5); do
	change "delta of 1,000" add_thousand "$i"
done
before=$(scrubs)
change "snapshot" import_many s
change "scrub" until_true 30 scrubbed "$before"
wait "$load" || die "the load" "$dir/stall.log"
cat "$dir/report"
