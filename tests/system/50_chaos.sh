#!/usr/bin/env bash
# 50_chaos.sh - a controller and three nodes killed in random order under a
# stream of changes end on one version and digest, with every verdict that of
# the version it names and no event lost or there twice.
#
# "make soak" runs the same with 500 kills.  KILLS and SOAK_SECONDS say how
# many and for how long, SEED (printed) which, PACE how many seconds lie
# between changes and between questions; WORK names a folder that is kept.
# limit: 900
. "$(dirname "$0")/../lib/system.sh"

work=${WORK:-$dir/chaos}
mkdir -p "$work"
python3 "$lib/chaos.py" "$BUILD" "$work" --kills "${KILLS:-25}" \
    --seconds "${SOAK_SECONDS:-60}" --pace "${PACE:-0.02}" \
    ${SEED:+--seed "$SEED"} &
started+=("$!")
wait "$!"
status=$?
[ "$status" = 0 ] || tail -n 5 "$work"/*.log
exit "$status"
