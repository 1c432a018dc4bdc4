#!/usr/bin/env bash
# milter.sh - a node's milter beside a milter by libmilter that does nothing,
# and beside one that asks the node's policy front about each recipient, under
# the same load in rotation, with no mail server between.
#
# usage: bench/milter.sh DIR SCALE [ARGUMENT of postern-bench milter...]
#
# DIR is a folder of "postern-bench set" at that scale.  All listen on Unix
# sockets: over TCP libmilter writes its answer to a message in two pieces,
# and the second waits 40 ms for the acknowledgement of the first.  What the
# node spends on the questions of "asking" is not counted to it.
. "$(dirname "$0")/common.sh"
[ "$#" -ge 2 ] || die "usage: bench/milter.sh DIR SCALE [ARGUMENT...]"
set_dir=$1 scale=$2
shift 2
[ -x "$BUILD/bench-libmilter" ] || {
	missing libmilter "the package libmilter-dev is not there"
	exit 77
}

# libmilter NAME ARGUMENT...: adds it to $targets
libmilter() {
	start "$dir/$1.log" "$BUILD/bench-libmilter" -l "unix:$dir/$1" \
	    "${@:2}"
	until_true 10 [ -S "$dir/$1" ] || die "no $1" "$dir/$1.log"
	targets=${targets:+$targets,}$1=unix:$dir/$1#$pid
}

rm -rf "$set_dir/spool"	# the events of a run before
start "$dir/node.log" "$BUILD/postern-node" --dir "$set_dir" \
    --spool-max 4G \
    --policy-tcp "" --policy-unix "$dir/policy" --milter-unix "$dir/milter" \
    --ready-file "$dir/node.json"
node=node=unix:$dir/milter#$pid
until_true 30 [ -s "$dir/node.json" ] || die "no node" "$dir/node.log"

libmilter libmilter
accepts=$targets,$node
libmilter asking -p "$dir/policy"
accepts=$accepts,${targets#*,}
targets=
libmilter refusing -r
refuses=$targets,$node

settled "$dir/node.log"

# load TARGETS ARGUMENT...
load() {
	"$bench" milter --scale "$scale" --targets "$@" ||
	    die "the load" "$dir/node.log"
}
load "$accepts" "$@"
load "$accepts" --messages 1 "$@"
load "$accepts" --abort "$@"
load "$accepts" --recipients 10 "$@"
load "$refuses" --hit 100 "$@"
