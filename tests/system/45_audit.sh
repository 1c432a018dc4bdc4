#!/usr/bin/env bash
# 45_audit.sh - each deed of the command line leaves its entry in the audit
# log, what is refused too; the chain is followed; a log that was rolled back
# is found.
. "$(dirname "$0")/../lib/system.sh"

end() {
	"$postern" audit verify -o json | json 'j["end"]["sequence"]'
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
    json '[e["object"] for e in j["entries"]]')" '["mx1"]'
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
