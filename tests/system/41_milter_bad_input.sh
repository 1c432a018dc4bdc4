#!/usr/bin/env bash
# 41_milter_bad_input.sh - the milter listener and what no mail server sends:
# the node answers the next one, tells nobody 5xx, and loses no memory.
. "$(dirname "$0")/../lib/system.sh"

cat >"$dir/policy.yaml" <<'Y'
organization: {internal_domains: [acme.example]}
Y
start_dev --nodes 1 --policy "$dir/policy.yaml"
milter=$(each milter_tcp)

# case_is_survived NAME ARGUMENT...: it is as it must be, and a good message goes on
case_is_survived() {
	local name=$1
	shift
	if python3 "$lib/milter.py" "$milter" "$@" >"$dir/case"; then
		ok "${name}_is_answered_right"
	else
		not_ok "${name}_is_answered_right" "$*" "$dir/case" \
		    "$dir_node/log"
	fi
	echo "# $name: $(tail -n 1 "$dir/case")"
	holds "${name}_leaves_the_node_alive" \
	    python3 "$lib/milter.py" "$milter" message
}

rss_kb() {
	sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$node_pid/status"
}

fds() {
	find "/proc/$node_pid/fd" -mindepth 1 | wc -l
}

dir_node=$dev_dir/node-1
case_is_survived message message
fds_before=$(fds)
case_is_survived wrong_frames frames
case_is_survived wrong_orders order
case_is_survived cut_sessions cut
case_is_survived large_headers huge
rss_before=$(rss_kb)
case_is_survived thousand_connections many 1000
case_is_survived deaf_client deaf
same_fds() {
	[ "$(fds)" -le "$fds_before" ]
}
holds descriptors_are_given_back until_true 10 same_fds
rss_after=$(rss_kb)
echo "# resident before $rss_before kB, after $rss_after kB"
if [ "$rss_after" -lt $((rss_before + 100000)) ]; then
	ok memory_stays_bounded
else
	not_ok memory_stays_bounded "$rss_before kB, then $rss_after kB"
fi
holds node_is_the_same_process is_running "$node_pid"
if python3 "$lib/milter.py" "$milter" ending "$node_pid" >"$dir/case"; then
	ok message_in_progress_ends_before_the_node
else
	not_ok message_in_progress_ends_before_the_node "" "$dir/case"
fi
