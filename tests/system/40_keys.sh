#!/usr/bin/env bash
# 40_keys.sh - the publisher's key is replaced under running nodes, by a root
# key here and one kept elsewhere; a node that was away catches up; an old key
# is believed no more; a node is let in no more.
. "$(dirname "$0")/../lib/system.sh"

value() {
	"$postern" node ls -o json | json "$1"
}

serial() {
	"$postern" key show -o json | json 'j["serial"]'
}

# all_hold N: N nodes enforce the head and hold the certificate in force
all_hold() {
	[ "$(value "sum(n['converged'] and n.get('certificate') == $(serial)
	    and 'nack' not in n for n in j['nodes'])")" = "$1" ]
}

head_of() {
	curl -fsS "${health_of[$1]}/metrics" |
	    sed -n 's/^postern_head_version //p'
}

change() {
	"$postern" group add "Blocked Senders" "$1" >/dev/null ||
	    die "no change"
}

start_controller || die "no controller" "$dir/controller.log"
keys=$dir/controller/keys
for i in 1 2; do
	start_node "mx$i" || die "no node" "$dir/mx$i.log"
	mx[i]=$mx_pid
	health_of[i]=$health
done
holds policy_is_applied "$postern" apply -f deploy/examples/acme.yaml
holds nodes_hold_the_first_certificate until_true 20 all_hold 2
first=$(serial)
cp -p "$keys/publisher.key" "$dir/stolen"

expect rotation_with_the_root_here_is_0 0 "$postern" key rotate
holds rotation_raises_the_serial [ "$(serial)" -gt "$first" ]
holds nodes_take_the_new_key until_true 10 all_hold 2
change after-rotation.example
holds change_under_the_new_key_is_enforced until_true 10 all_hold 2
same rotation_is_refused_by_no_node \
    "$(grep -c sync.refused "$dir/mx1.log")" 0

# away during two rotations
stop "${mx[2]}"
"$postern" key rotate && change away.example && "$postern" key rotate ||
    die "no rotation"
start_node mx2 || die "mx2 does not come back" "$dir/mx2.log"
mx[2]=$mx_pid
holds node_that_was_away_catches_up until_true 20 all_hold 2

# the root key is elsewhere
mv "$keys/root.key" "$dir/root.key"
stop "$controller_pid"
start_controller || die "no controller without a root key" \
    "$dir/controller.log"
expect rotation_without_the_root_is_3 3 "$postern" key rotate
says rotation_without_the_root_says_how err --root
expect rotation_with_the_root_named_is_0 0 "$postern" key rotate \
    --root "$dir/root.key" --days 60
holds nodes_take_the_key_signed_elsewhere until_true 20 all_hold 2
same days_are_what_was_asked "$("$postern" key show -o json |
    json 'j["days"]')" 59
expect request_is_0 0 "$postern" key rotate --request "$dir/request"
"$postern" key sign "$dir/request" --root "$dir/root.key" \
    >"$dir/certificate" || die "no certificate"
"$postern" key make "$dir/other" 2>/dev/null || die "no other root"
expect strangers_root_signs_nothing 6 "$postern" key sign "$dir/request" \
    --root "$dir/other/root.key"
expect certificate_is_taken 0 "$postern" key rotate \
    --certificate "$dir/certificate"
expect certificate_is_taken_once 3 "$postern" key rotate \
    --certificate "$dir/certificate"
holds nodes_take_the_certificate until_true 10 all_hold 2

# one that ends: nodes go on by what they have, and say so
# ends_soon MS: the controller and both nodes take one before its end
ends_soon() {
	local ends
	"$postern" key rotate --request "$dir/request" || die "no request"
	ends=$(($(now_ms) + $1))
	sed -i "s/\"not_after_us\": [0-9]*/\"not_after_us\": ${ends}000/" \
	    "$dir/request"
	"$postern" key sign "$dir/request" --root "$dir/root.key" \
	    >"$dir/certificate" || die "no certificate"
	"$postern" key rotate --certificate "$dir/certificate" || return 1
	while [ "$(now_ms)" -lt "$ends" ]; do
		! all_hold 2 || return 0
	done
	return 1
}
# on a busy machine it may be over before
for ms in 1500 5000 20000 60000 never; do
	[ "$ms" = never ] || ! ends_soon "$ms" >"$dir/held" 2>&1 || break
done
holds nodes_take_the_certificate_that_ends_soon [ "$ms" != never ]
expired() {
	[ "$(value "sum(n.get('nack') == 'expired' and n['version'] > 0
	    for n in j['nodes'])")" = 2 ]
}
holds nodes_say_that_it_has_ended until_true 10 expired
same it_has_ended_says_status "$("$postern" status -o json |
    json '[j["key"]["due"], j["key"]["days"]]')" "[true, -1]"
holds nodes_decide_on_after_its_end refuses "$node"
change after-its-end.example
expect certificate_that_has_ended_is_not_taken 4 bash -c '
	"$1" key rotate --request "$2/request" &&
	sed -i "s/\"not_after_us\": [0-9]*/\"not_after_us\": 1/" "$2/request" &&
	"$1" key sign "$2/request" --root "$2/root.key" >"$2/certificate" &&
	"$1" key rotate --certificate "$2/certificate"' - "$postern" "$dir"
"$postern" key rotate --root "$dir/root.key" || die "no rotation"
holds a_new_certificate_mends_it until_true 20 all_hold 2

# revoked: nodes go above what a thief may have told them
v=$("$postern" status -o json | json 'j["version"]')
expect revocation_is_asked_about 2 "$postern" key revoke
expect revocation_is_0 0 "$postern" key revoke --yes --root "$dir/root.key"
same revocation_goes_one_version_up \
    "$("$postern" status -o json | json 'j["version"]')" $((v + 1))
holds nodes_take_the_revocation until_true 10 all_hold 2
same revocation_is_shown "$("$postern" key show -o json |
    json 'j["min_serial"] == j["serial"]')" true

# who has the old key, and all else of the controller, is not believed
stop "$controller_pid"
cp -p "$keys/publisher.key" "$dir/publisher.key"
cp -p "$dir/stolen" "$keys/publisher.key"
start_controller || die "no controller with the old key" \
    "$dir/controller.log"
change thief.example
denied() {
	[ "$(value "sum(n.get('nack') == 'signature' and
	    not n['converged'] for n in j['nodes'])")" = 2 ]
}
holds old_key_is_refused_by_every_node until_true 20 denied
same old_key_is_known_to_be_old "$("$postern" status -o json |
    json 'j["key"]["behind_nodes"]')" true
stop "$controller_pid"
cp -p "$dir/publisher.key" "$keys/publisher.key"
start_controller || die "no controller" "$dir/controller.log"
holds right_key_is_believed_again until_true 20 all_hold 2

# a node is revoked while it is connected
begin_time
expect node_is_revoked 0 "$postern" node rm mx1 --yes
change after-revocation.example
holds other_node_goes_on until_true 10 all_hold 1
new=$("$postern" status -o json | json 'j["version"]')
holds revoked_node_heard_of_nothing [ "$(head_of 1)" -lt "$new" ]
same revoked_node_is_not_listed "$(value 'len(j["nodes"])')" 1
echo "revoked within $(($(now_ms) - time_began)) ms"
within revocation_takes_less_than_10_s 10000
stop "${mx[1]}"
start_node mx1 || die "mx1 does not start" "$dir/mx1.log"
change last.example
holds revoked_node_is_not_let_in_again until_true 10 all_hold 1
same revoked_node_stays_unlisted "$(value 'len(j["nodes"])')" 1

# a controller whose root key never was on it
controller_ports=
mkdir -m 700 "$dir/apart" "$dir/apart/keys"
cp -p "$dir/other/root.pub" "$dir/other/publisher.key" "$dir/apart/keys/"
stop "$controller_pid"
rm -rf "$dir/controller"
mv "$dir/apart" "$dir/controller"
start_controller || die "no controller with keys made before" \
    "$dir/controller.log"
start_node mx9 || die "no node" "$dir/mx9.log"
"$postern" apply -f deploy/examples/acme.yaml || die "no policy"
holds node_joins_under_the_root_made_before until_true 20 all_hold 1
same root_key_is_not_there "$("$postern" key show -o json |
    json 'j["root_key_here"]')" false
holds its_root_key_rotates "$postern" key rotate --root "$dir/other/root.key"
holds node_follows until_true 10 all_hold 1
