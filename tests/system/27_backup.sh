#!/usr/bin/env bash
# 27_backup.sh - a backup of a running controller, put back after changes that
# nodes have taken: nothing is published until it is adopted, and then above
# what they have.
. "$(dirname "$0")/../lib/system.sh"

# value EXPRESSION: over what node ls says
value() {
	"$postern" node ls -o json | json "$1"
}

all_at() {
	[ "$(value "sum(n['converged'] and n['version'] == $1
	    for n in j['nodes'])")" = 2 ]
}

version() {
	"$postern" status -o json | json 'j["version"]'
}

start_controller || die "no controller" "$dir/controller.log"
for i in 1 2; do
	start_node "mx$i" || die "no node" "$dir/mx$i.log"
done
holds policy_is_applied "$postern" apply -f deploy/examples/acme.yaml
expect backup_is_0 0 "$postern" backup "$dir/saved"
says backup_says_where out "$dir/saved"
holds backup_is_for_its_owner [ -z "$(find "$dir/saved" -perm /077)" ]
expect backup_over_another_is_4 4 "$postern" backup "$dir/saved"
saved=$(version)
for i in 1 2 3; do
	"$postern" group add "Blocked Senders" "late$i.example"
done
v=$(version)
holds nodes_are_ahead_of_the_backup until_true 20 all_at "$v"
expect adopt_without_a_restore_is_4 4 "$postern" adopt --yes

stop "$controller_pid"
mv "$dir/controller" "$dir/lost"
expect restore_of_nothing_is_not_0 1 "$postern" restore "$dir/none" \
    --dir "$dir/controller"
# as one file and back, on its way to another machine
mkdir -m 700 "$dir/copy"
tar -C "$dir/saved" -cf - . | tar -C "$dir/copy" -xpf -
expect restore_is_0 0 "$postern" restore "$dir/copy" --dir "$dir/controller"
expect restore_over_a_store_is_not_0 1 "$postern" restore "$dir/saved" \
    --dir "$dir/controller"
start_controller || die "no controller again" "$dir/controller.log"
same restored_version_is_the_saved_one "$(version)" "$saved"
says restored_controller_is_held "$dir/controller.log" controller.held

# nodes come back, and tell what they have; nothing is asked of them
heard() {
	[ "$(value "len([n for n in j['nodes'] if n['version'] == $v])")" = 2 ]
}
holds nodes_tell_what_they_have until_true 30 heard
"$postern" group add "Blocked Senders" mended.example
same nothing_is_published_before_adopt \
    "$(value "sum(n['converged'] for n in j['nodes'])")" 0
expect adopt_is_0 0 "$postern" adopt --yes --wait=30s
now=$(version)
holds adopted_version_is_above_all [ "$now" -gt "$v" ]
holds nodes_follow_the_adopted_one all_at "$now"
asks() {
	policy "$node" client_address=198.51.100.7 sender="x@$1" \
	    recipient=al@acme.example | cut -c1-3
}
same change_after_the_backup_is_gone "$(asks late1.example)" DUN
same change_after_the_restore_is_there "$(asks mended.example)" 550
