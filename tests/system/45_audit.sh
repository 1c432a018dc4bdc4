#!/usr/bin/env bash
# 45_audit.sh - each deed of the command line leaves its entry in the audit
# log, what is refused too; the chain is followed; nodes notice a log that was
# rolled back, until it is adopted.
. "$(dirname "$0")/../lib/system.sh"

end() {
	"$postern" status -o json | json 'j["audit"]["sequence"]'
}

# newest FIELD: of the newest entry
newest() {
	"$postern" audit --limit 1 -o json | json "j['entries'][0].get('$1')"
}

# leaves ACTION COMMAND...: it succeeds, and its entry is the newest
leaves() {
	local action=$1 name=${1//./_}_leaves_its_entry before
	shift
	before=$(end)
	if ! "$@" >"$dir/out" 2>&1; then
		not_ok "$name" "$*" "$dir/out"
	elif [ "$(end)" -le "$before" ]; then
		not_ok "$name" "no entry"
	else
		same "$name" "$(newest action) $(newest result)" "$action ok"
	fi
}

start_controller || die "no controller" "$dir/controller.log"
start_node mx1 || die "no node" "$dir/mx1.log"
g="Blocked Senders"
leaves policy.apply "$postern" apply -f deploy/examples/acme.yaml \
    --message "ticket 4711"
same reason_is_kept "$(newest reason)" "ticket 4711"
same versions_are_kept "$(newest after)" 1
leaves group.add "$postern" group add "$g" a.example
same group_is_named "$(newest object)" "$g"
leaves group.rm "$postern" group rm "$g" a.example --yes
printf 'b.example\nc.example\n' >"$dir/list.txt"
leaves group.import "$postern" group import "$g" "$dir/list.txt" --yes
leaves group.add "$postern" group add Mine d.example --create
leaves group.delete "$postern" group rm Mine --yes
leaves policy.add "$postern" policy add p9 --type blocked_senders \
    --action block_sender --narrative n --from "group:$g" --to everyone
leaves policy.set "$postern" policy disable p9
leaves policy.rm "$postern" policy rm p9 --yes
u=al@acme.example
leaves sender.permit "$postern" sender permit --user $u e.example
leaves sender.block "$postern" sender block --user $u f.example
batch=$(newest after)
leaves sender.undo "$postern" sender undo "$batch"
leaves sender.rm "$postern" sender rm --user $u e.example
leaves revision.rollback "$postern" revision rollback 1 --yes
leaves node.token "$postern" node join-token
leaves key.rotate "$postern" key rotate
leaves key.revoke "$postern" key revoke --yes
same enrolment_is_there "$("$postern" audit --action node.enroll -o json |
    json '[(e["object"], e["peer"], e["role"]) for e in j["entries"]]')" \
    '[["mx1", "127.0.0.1", "node"]]'
"$postern" backup "$dir/saved" >/dev/null || die "no backup"
same backup_is_there "$(newest action) $(newest object)" "backup $dir/saved"
saved=$(end)

# --- what is refused
expect conflict_is_4 4 "$postern" group add "$g" x.example --if-revision 1
same conflict_is_there "$(newest action) $(newest result)" \
    "group.add conflict"
for i in 1 2 3; do
	curl -s -o "$dir/denied" -H 'Authorization: Bearer guess' \
	    "$POSTERN_ADDR/v1/status"
done
same denied_is_there_once "$("$postern" audit --action auth -o json |
    json '[(e["result"], e["peer"]) for e in j["entries"]]')" \
    '[["denied", "127.0.0.1"]]'

timeout 120 "$BUILD/postern-node" --dir "$dir/mx9" --name mx9 \
    --join-file "$dir/mx1.token" --policy-tcp 127.0.0.1:0 >"$dir/mx9.log" 2>&1
same used_token_is_there "$(newest action) $(newest object) $(newest peer) \
$(newest result)" "node.enroll mx9 127.0.0.1 denied"

# --- reading
same actor_is_looked_for "$("$postern" audit --actor mx1 -o json |
    json '[e["action"] for e in j["entries"]]')" '["node.enroll"]'
holds action_may_be_the_noun eval \
    '[ "$("$postern" audit --action sender -o json |
    json "len(j[\"entries\"])")" = 4 ]'
same nothing_was_an_hour_later "$("$postern" audit \
    --since "$(date -u -d '+1 hour' +%FT%TZ)" -o json |
    json 'j["entries"]')" '[]'
holds time_may_be_how_long_ago eval \
    '[ "$("$postern" audit --since 1h --limit 0 -o json |
    json "len(j[\"entries\"])")" = "$(end)" ]'
expect bad_time_is_2 2 "$postern" audit --since tomorrow
"$postern" audit --limit 0 -o json >"$dir/all.json"
same secrets_are_not_in_it "$(grep -c "$(cat "$POSTERN_TOKEN_FILE")\
\|postern-join" "$dir/all.json")" 0

# --- the chain
expect whole_log_is_0 0 "$postern" audit verify
mark=$("$postern" audit verify -o json |
    json 'str(j["end"]["sequence"]) + ":" + j["end"]["hash"]')
"$postern" group add "$g" later.example || die "no change"
expect log_that_grew_holds_its_old_end 0 "$postern" audit verify \
    --expect "$mark"
expect another_hash_is_1 1 "$postern" audit verify \
    --expect "${mark%%:*}:$(printf '0%.0s' {1..64})"
says another_hash_is_named err "seen another entry ${mark%%:*}"
expect malformed_end_is_2 2 "$postern" audit verify --expect 12

# --- a node has seen the log too
"$postern" apply -f deploy/examples/acme.yaml >/dev/null
audit_of() {
	"$postern" node ls -o json | json \
	    "[n['audit'] for n in j['nodes'] if n['id'] == '$1'][0]"
}
has_seen_all() {
	[ "$(metric postern_audit_sequence)" = "$(end)" ]
}
holds node_sees_the_end_of_the_log until_true 10 has_seen_all
same node_finds_it_well "$(audit_of mx1)" ok
same verify_asks_the_node "$("$postern" audit verify -o json |
    json 'j["nodes"]')" 1

# somebody puts an older copy of the folder in place, by hand
stop "$controller_pid"
cp -a "$dir/controller/policy" "$dir/older"
cp "$dir/controller/ACKED" "$dir/older.acked"
start_controller || die "no controller again" "$dir/controller.log"
"$postern" group add "$g" secret.example || die "no change"
"$postern" group rm "$g" secret.example --yes || die "no change"
holds node_sees_more until_true 10 has_seen_all
seen=$(end)
stop "$controller_pid"
rm -rf "$dir/controller/policy"
mv "$dir/older" "$dir/controller/policy"
mv "$dir/older.acked" "$dir/controller/ACKED"
start_controller || die "no rolled back controller" "$dir/controller.log"
audit_is() {
	[ "$(audit_of "$1")" = "$2" ]
}
holds node_finds_it_behind until_true 20 audit_is mx1 behind
# the controller may know it before the node does
knows_it_is_behind() {
	[ "$(metric postern_audit_behind)" = 1 ]
}
holds node_has_a_metric until_true 10 knows_it_is_behind
says node_has_a_line "$dir/mx1.log" "audit.rolled_back audit=behind"
says controller_has_a_line "$dir/controller.log" audit.rolled_back
says status_names_the_node <("$postern" status) "audit log behind"
says doctor_says_what_to_do <("$postern" doctor) "\"postern adopt\" goes on"
expect verify_finds_it 1 "$postern" audit verify
says verify_names_the_node_and_entry err "mx1 has seen entry $seen"
refuses_all() {
	policy "$node" client_address=198.51.100.7 sender=x@bad.example \
	    recipient=al@acme.example | grep -q '^550 '
}
holds node_enforces_all_the_same refuses_all

# the log grows past what was seen, and the node starts anew: it remembers
for i in 1 2 3 4 5 6; do
	"$postern" group add "$g" "grow$i.example" || die "no change"
done
holds log_is_longer [ "$(end)" -gt "$seen" ]
stop "$mx_pid"
start_node mx1 || die "no node again" "$dir/mx1.log"
holds node_remembers_over_a_start until_true 20 audit_is mx1 forked
expect verify_finds_it_still 1 "$postern" audit verify
says verify_names_another_entry err "mx1 has seen another entry $seen"

# a person goes on with it
before=$(end)
expect adopt_is_0 0 "$postern" adopt --yes --wait=20s
same adoption_is_in_the_log "$("$postern" audit --action adopt -o json |
    json 'j["entries"][0]["above"] >= '"$before")" true
holds node_is_content until_true 20 audit_is mx1 ok
same node_metric_is_over "$(metric postern_audit_behind)" 0
says node_says_that_it_was_adopted "$dir/mx1.log" audit.adopted
expect verify_is_content 0 "$postern" audit verify
expect there_is_nothing_more_to_adopt 4 "$postern" adopt --yes

# --- a backup, put back as it should be
stop "$controller_pid"
rm -rf "$dir/controller"
"$postern" restore "$dir/saved" --dir "$dir/controller" || die "no restore"
start_controller || die "no restored controller" "$dir/controller.log"
same restore_is_in_the_log "$(newest action) $(newest role)" "restore local"
same it_goes_on_where_the_backup_ended "$(end)" "$((saved + 1))"
holds node_says_what_it_has_seen until_true 20 audit_is mx1 behind
same nobody_calls_that_an_error "$(grep -c audit.rolled_back \
    "$dir/controller.log")" 0
expect adopt_says_what_is_lost 2 "$postern" adopt
says adopt_names_the_entries err "here it ends with $((saved + 1))"
expect adopt_after_restore_is_0 0 "$postern" adopt --yes --wait=30s
holds node_is_content_again until_true 20 audit_is mx1 ok
expect verify_is_content_again 0 "$postern" audit verify
