#!/usr/bin/env bash
# 20_deploy_health.sh - what a container or a service manager asks of the
# programs: healthcheck by folder and by URL, and a clean end on SIGTERM.
# shellcheck source=tests/lib/system.sh
. "$(dirname "$0")/../lib/system.sh"

start "$dir/controller.log" "$BUILD/postern-controller" --dir "$dir/c" \
    --api 127.0.0.1:0 --control 'tcp://127.0.0.1:*' \
    --events 'tcp://127.0.0.1:*' --enroll 'tcp://127.0.0.1:*' \
    --ready-file "$dir/c.json"
controller=$pid
until_true 20 test -s "$dir/c.json" ||
    die "no controller" "$dir/controller.log"
POSTERN_ADDR=$(json 'j["api"]' "$dir/c.json")
POSTERN_TOKEN_FILE=$(json 'j["token_file"]' "$dir/c.json")
export POSTERN_ADDR POSTERN_TOKEN_FILE
check_c() {
	"$BUILD/postern-controller" healthcheck "$@"
}
check_n() {
	"$BUILD/postern-node" healthcheck "$@"
}
expect controller_is_ready_by_folder 0 check_c --dir "$dir/c"
expect controller_is_ready_by_url 0 check_c --url "$POSTERN_ADDR"
expect controller_without_flag_is_usage 2 check_c
expect controller_of_no_folder_is_1 1 check_c --dir "$dir/none"
says controller_of_no_folder_is_named err "$dir/none/health"

"$postern" node join-token >"$dir/token"
start "$dir/node.log" "$BUILD/postern-node" --dir "$dir/n" --name n1 \
    --join-file "$dir/token" --policy-tcp 127.0.0.1:0 \
    --ready-file "$dir/n.json"
node=$pid
until_true 20 test -s "$dir/n.json" || die "no node" "$dir/node.log"
expect node_without_policy_is_not_ready 1 check_n --dir "$dir/n"
says node_without_policy_says_why err "not ready: status 503"
echo 'organization: {internal_domains: [acme.example]}' >"$dir/p.yaml"
expect policy_is_applied 0 "$postern" apply -f "$dir/p.yaml" --wait
expect node_is_ready_by_folder 0 check_n --dir "$dir/n"
expect node_is_ready_by_url 0 check_n \
    --url "$(json 'j["health"]' "$dir/n.json")"

# ends NAME PID LOG EVENT: 0, within 5 s, and it says so
ends() {
	local status
	begin_time
	stop "$2"
	status=$?
	same "$1_ends_with_0_on_sigterm" "$status" 0
	within "$1_ends_within_5_s" 5000
	says "$1_says_that_it_stops" "$3" "$4"
}
ends controller "$controller" "$dir/controller.log" controller.stops
expect stopped_controller_is_1 1 check_c --dir "$dir/c"
says stopped_controller_is_unreachable err "onnect"
expect node_without_controller_stays_ready 0 check_n --dir "$dir/n"
ends node "$node" "$dir/node.log" node.stopped
expect stopped_node_is_1 1 check_n --dir "$dir/n"
