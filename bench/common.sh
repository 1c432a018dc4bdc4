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

# settled LOG: once for each node that is started with a set, before anything
# is asked of it: wait until the node that writes the log has read its set
# through, SETTLE_S (480) seconds at most; ten million records take five minutes
# where all is quiet.  Until then its CPU holds that work, too, and it is said.
settled() {
	local limit=${SETTLE_S:-480} begin=$SECONDS
	while ! grep -q scrub.proved "$1"; do
		[ $((SECONDS - begin)) -lt "$limit" ] || {
			echo "# the node still reads its set through after" \
			    "$limit s: its CPU a request holds that, too" >&2
			return
		}
		sleep "$tick_s"
	done
	echo "# the node has read its set through, $((SECONDS - begin)) s" \
	    "waited" >&2
}
