#!/usr/bin/env bash
# 10_dev.sh - postern dev: ready soon, JSON by the contract, state kept, an end
# that leaves no process and no folder.
. "$(dirname "$0")/../lib/system.sh"
acme=deploy/examples/acme.yaml

# the programs of that folder that run now
programs_of() {
	grep -aFl -- "$1/" /proc/[0-9]*/cmdline 2>/dev/null | cut -d/ -f3 |
	    while read -r p; do
		! readlink "/proc/$p/exe" | grep -q '/postern-' || echo "$p"
	done
}

none_of() {
	[ -z "$(programs_of "$1")" ]
}

begin_time
start_dev --nodes 2 --policy "$acme"
echo "# ready in $(($(now_ms) - time_began)) ms"
within dev_of_two_nodes_is_ready_in_3_s 3000
holds ready_line_is_one_line [ "$(wc -l <"$dir/ready.json")" = 1 ]
holds ready_line_is_by_the_contract python3 - "$dir/ready.json" <<'PY'
import json
import os
import re
import stat
import sys
j = json.load(open(sys.argv[1]))
assert set(j) >= {"api", "token_file", "dir", "nodes"}, j
assert re.fullmatch(r"http://127\.0\.0\.1:\d+", j["api"]), j
assert os.path.isfile(j["token_file"]) and os.path.isdir(j["dir"]), j
assert os.stat(j["token_file"]).st_mode & 0o077 == 0, "token for all to read"
assert len(j["nodes"]) == 2, j
for n in j["nodes"]:
    assert set(n) >= {"id", "policy_tcp", "policy_unix", "health", "pid"}, n
    assert re.fullmatch(r"127\.0\.0\.1:\d+", n["policy_tcp"]), n
    assert stat.S_ISSOCK(os.stat(n["policy_unix"]).st_mode), n
    assert re.match(r"http://127\.0\.0\.1:\d+", n["health"]), n
    os.kill(n["pid"], 0)
PY
holds each_node_is_ready curl -fsS "${node_health[0]}/readyz" \
    "${node_health[1]}/readyz"
holds nobody_else_reads_a_file [ -z "$(find "$dev_dir" -type f -perm /077 \
    ! -name ready.json ! -name health ! -name root.pub)" ]
holds the_programs_are_seen [ "$(programs_of "$dev_dir" | wc -l)" = 3 ]
expect sigint_ends_with_0 0 stop "$dev_pid" INT
holds sigint_leaves_no_process none_of "$dev_dir"
holds its_own_folder_is_removed [ ! -e "$dev_dir" ]

# with --dir: what was applied and what was refused is there again
start_dev --nodes 2 --dir "$dir/state" --policy "$acme"
holds policy_is_enforced refuses "${node_tcp[1]}"
holds refusal_is_found until_true 10 at_least 1
expect group_add_is_0 0 "$postern" group add "Blocked Senders" \
    late.example --wait
version=$("$postern" status -o json | json 'j["version"]')
expect sigterm_ends_with_0 0 stop "$dev_pid" TERM
holds sigterm_leaves_no_process none_of "$dir/state"
holds given_folder_stays [ -d "$dir/state/controller" ]

start_dev --nodes 2 --dir "$dir/state"
same version_is_kept "$("$postern" status -o json | json 'j["version"]')" \
    "$version"
holds refusals_are_kept at_least 1
holds policy_is_still_enforced refuses "${node_tcp[0]}"
same late_change_is_enforced "$(policy "${node_tcp[0]}" \
    client_address=198.51.100.7 sender=x@late.example \
    recipient=al@acme.example | cut -c1-9)" "550 5.7.1"
same no_node_joined_twice "$("$postern" node ls -o json |
    json 'len(j["nodes"])')" 2

# a second dev on the folder of a running one
expect second_on_the_folder_is_refused 1 "$postern" dev --dir "$dir/state"
holds second_leaves_the_first_alone refuses "${node_tcp[0]}"
holds second_leaves_the_api_alone "$postern" status
expect end_is_0 0 stop "$dev_pid" INT

# dev killed outright: its programs end by themselves
start_dev --nodes 1
kill -KILL "$dev_pid"
wait "$dev_pid" 2>/dev/null
holds killed_dev_leaves_no_process until_true 10 none_of "$dev_dir"
rm -rf "$dev_dir"

printf 'policies: [{id: x}]\n' >"$dir/bad.yaml"
expect bad_policy_is_7 7 timeout 120 "$postern" dev --dir "$dir/none" \
    --policy "$dir/bad.yaml"
says bad_policy_has_its_place err 'bad.yaml:1:'
holds bad_policy_leaves_no_process none_of "$dir/none"
