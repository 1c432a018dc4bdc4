#!/usr/bin/env bash
# 41_restore_keys.sh - a backup older than the nodes' policy and than the
# publisher's key they trust: they go on by what they have; status says what
# is the matter; after adopt they follow.  Once with the root key in the
# folder, once with it elsewhere.
. "$(dirname "$0")/../lib/system.sh"

value() {
	"$postern" node ls -o json | json "$1"
}

status() {
	"$postern" status -o json | json "$1"
}

all_at() {
	[ "$(value "sum(n['converged'] and n['version'] == $1 and
	    'nack' not in n for n in j['nodes'])")" = 2 ]
}

# asks SENDER-DOMAIN: what a node answers
asks() {
	policy "$node" client_address=198.51.100.7 sender="x@$1" \
	    recipient=al@acme.example | cut -c1-3
}

knows_all() {
	[ "$(status "(j.get('highest', 0) == $v and
	    j['key']['behind_nodes'])")" = true ]
}

# lose_and_restore NAME: changes and a rotation behind a backup, then it is
# all that is left
lose_and_restore() {
	"$postern" backup "$dir/$1" >/dev/null || die "no backup"
	saved=$(status 'j["version"]')
	"$postern" group add "Blocked Senders" "$1.example" &&
	    "$postern" key rotate "${root[@]}" &&
	    "$postern" group add "Blocked Senders" "late-$1.example" &&
	    "$postern" key rotate "${root[@]}" || die "no changes"
	v=$(status 'j["version"]')
	until_true 20 all_at "$v" || die "the nodes do not follow"
	"$postern" node join-token >"$dir/used.token"
	stop "$controller_pid" KILL
	rm -rf "$dir/controller"
	"$postern" restore "$dir/$1" --dir "$dir/controller" ||
	    die "no restore"
	start_controller || die "no controller again" "$dir/controller.log"
	same "$1_is_what_is_there" "$(status 'j["version"]')" "$saved"
	holds "$1_says_what_nodes_have" until_true 20 knows_all
	same "$1_is_held_says_status" "$(status 'j["held"]')" true
	same "$1_nodes_enforce_what_they_have" "$(asks "late-$1.example")" 550
	"$postern" group add "Blocked Senders" "after-$1.example"
}

root=()
start_controller || die "no controller" "$dir/controller.log"
for i in 1 2; do
	start_node "mx$i" || die "no node" "$dir/mx$i.log"
done
holds policy_is_applied "$postern" apply -f deploy/examples/acme.yaml
until_true 20 all_at 1 || die "the nodes do not take the policy"

lose_and_restore first
same first_nothing_is_published "$(value \
    "sum(n['converged'] for n in j['nodes'])")" 0
expect first_adopt_is_0 0 "$postern" adopt --yes --wait=20s
holds first_version_is_above [ "$(status 'j["version"]')" -gt "$v" ]
holds first_nodes_follow until_true 20 all_at "$(status 'j["version"]')"
same first_change_since_is_gone "$(asks late-first.example)" DUN
same first_change_after_is_there "$(asks after-first.example)" 550
same first_is_held_no_more "$(status '("held" in j or
    j["key"]["behind_nodes"])')" false
expect first_token_of_before_is_refused 1 timeout 120 "$BUILD/postern-node" \
    --dir "$dir/mx7" --name mx7 --join-file "$dir/used.token" \
    --policy-tcp 127.0.0.1:0

mv "$dir/controller/keys/root.key" "$dir/root.key"
root=(--root "$dir/root.key")
stop "$controller_pid"
start_controller || die "no controller without a root key" \
    "$dir/controller.log"
lose_and_restore second
expect second_adopt_without_the_root_is_4 4 "$postern" adopt --yes
says second_adopt_says_how err 'key rotate --root'
same second_is_held_still "$(status 'j["held"]')" true
expect second_rotation_is_0 0 "$postern" key rotate "${root[@]}"
expect second_adopt_is_0 0 "$postern" adopt --yes --wait=20s
holds second_nodes_follow until_true 20 all_at "$(status 'j["version"]')"
same second_change_since_is_gone "$(asks late-second.example)" DUN
