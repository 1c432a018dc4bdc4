#!/usr/bin/env bash
# common.sh - what the scripts of the harness share; sourced by them.
#
# All of tests/lib/system.sh, and $bench.  What is missing on this machine is
# left out of a comparison by name, and the report says so.
. "$(dirname "${BASH_SOURCE[0]}")/../tests/lib/system.sh"
bench=$BUILD/postern-bench

# missing WHAT WHY: said, and kept for "postern-bench marks"
missing() {
	echo "# $1 is left out: $2" >&2
	[ -z "${BENCH_SAVE:-}" ] ||
	    python3 -c 'import json, sys
print(json.dumps({"left_out": sys.argv[1], "why": sys.argv[2]}))' \
	    "$1" "$2" >>"$BENCH_SAVE"
}

# settled LOG: the node that writes it has read its set through, or 60 s are
# over; until then it works at that, too
settled() {
	until_true "${SETTLE_S:-60}" grep -q scrub.proved "$1" ||
	    echo "# the node still reads its set: its CPU holds that, too" >&2
}
