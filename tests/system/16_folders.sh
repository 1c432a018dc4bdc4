#!/usr/bin/env bash
# 16_folders.sh - a second process on a data folder, and a folder that cannot
# be written: a clear message, no status of 0, and the first is unaffected.
. "$(dirname "$0")/../lib/system.sh"

start_controller || die "no controller" "$dir/controller.log"
holds policy_is_applied "$postern" apply -f deploy/examples/acme.yaml
start_node mx1 || die "no node" "$dir/mx1.log"
until_true 10 refuses "$node"

expect second_controller_is_1 1 timeout 120 "$BUILD/postern-controller" \
    --dir "$dir/controller" --api 127.0.0.1:0 --control 'tcp://127.0.0.1:*' \
    --events 'tcp://127.0.0.1:*' --enroll 'tcp://127.0.0.1:*'
says second_controller_names_the_first err "in use by process $controller_pid"
says second_controller_says_what_to_do err 'stop it or give this one another'
expect second_node_is_1 1 timeout 120 "$BUILD/postern-node" --dir "$dir/mx1" \
    --policy-tcp 127.0.0.1:0
says second_node_names_the_first err "in use by process $mx_pid"
expect taken_port_is_1 1 timeout 120 "$BUILD/postern-controller" \
    --dir "$dir/other" --api "${POSTERN_ADDR#http://}" \
    --control 'tcp://127.0.0.1:*' --events 'tcp://127.0.0.1:*' \
    --enroll 'tcp://127.0.0.1:*'
says taken_port_is_named err "${POSTERN_ADDR##*:}"
holds first_controller_is_unaffected "$postern" group add \
    "Blocked Senders" late.example --wait
holds first_node_is_unaffected refuses "$node"

# a join token serves once
cp "$dir/mx1.token" "$dir/again.token"
expect token_used_twice_is_1 1 timeout 120 "$BUILD/postern-node" \
    --dir "$dir/mx9" --name mx9 --join-file "$dir/again.token" \
    --policy-tcp 127.0.0.1:0
says token_used_twice_says_so err 'refused the join token'
says token_used_twice_says_what_to_do err 'join-token'
same it_did_not_join "$("$postern" node ls -o json | json 'len(j["nodes"])')" 1
echo junk >"$dir/junk.token"
chmod 600 "$dir/junk.token"
expect junk_token_is_1 1 timeout 120 "$BUILD/postern-node" --dir "$dir/mx8" \
    --join-file "$dir/junk.token" --policy-tcp 127.0.0.1:0
expect no_token_is_1 1 timeout 120 "$BUILD/postern-node" --dir "$dir/mx7" \
    --policy-tcp 127.0.0.1:0
says no_token_says_where_from err 'postern node join-token'

# --- as a user who may not write there (root may write anywhere)

nobody() {
	setpriv --reuid=nobody --regid=nogroup --clear-groups timeout 120 "$@"
}
mkdir "$dir/roots" "$dir/bin"
chmod 755 "$dir/roots"
cp "$BUILD/postern-controller" "$BUILD/postern-node" "$dir/bin"
chmod 755 "$dir/bin" "$dir/bin"/*
for program in controller node; do
	expect "${program}_in_a_folder_of_others_is_1" 1 nobody \
	    "$dir/bin/postern-$program" --dir "$dir/roots"
	says "${program}_names_the_folder" err "$dir/roots"
	says "${program}_says_why" err 'Permission denied'
	expect "${program}_cannot_make_its_folder_is_1" 1 nobody \
	    "$dir/bin/postern-$program" --dir "$dir/roots/new"
	says "${program}_names_the_new_folder" err "$dir/roots/new"
done
same nothing_was_left_there "$(ls -A "$dir/roots")" ""

# a folder with one file that is not ours to read
install -d -o nobody -m 700 "$dir/mixed"
cp -r "$dir/controller/keys" "$dir/mixed/keys"
expect keys_of_another_user_is_1 1 nobody "$dir/bin/postern-controller" \
    --dir "$dir/mixed" --api 127.0.0.1:0
says keys_of_another_user_are_named err "$dir/mixed/"
expect controller_ends_with_0 0 stop "$controller_pid"
expect node_ends_with_0 0 stop "$mx_pid"
