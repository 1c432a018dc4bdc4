#!/usr/bin/env bash
# 12_policy_bad_input.sh - what no mail server should send to a node, over its
# real sockets: closed without an answer, and the next request is answered.
. "$(dirname "$0")/../lib/system.sh"

start_dev --nodes 1 --policy deploy/examples/acme.yaml
ulimit -n 4096
python3 tests/lib/policy.py bad "${node_tcp[0]}"
holds it_answers_over_tcp refuses "${node_tcp[0]}"
holds it_answers_over_the_socket refuses "${node_unix[0]}"
holds it_is_the_same_process is_running "${node_pid[0]}"
curl -fsS "${node_health[0]}/metrics" >"$dir/metrics"
same malformed_ones_are_counted "$(sed -n \
    's/^postern_malformed_total //p' "$dir/metrics")" 12
same no_inside_fault "$(sed -n 's/^postern_internal_errors_total //p' \
    "$dir/metrics")" 0
no_connection_left() {
	curl -fsS "${node_health[0]}/metrics" |
	    grep -q '^postern_connections 0$'
}
holds no_connection_is_left until_true 10 no_connection_left
expect end_is_0 0 stop "$dev_pid"
