#!/usr/bin/env bash
# 16_cli_policy.sh - single policies by the command line: what flags say of
# them, who holds them, what each refused; remedies made by their number.
source "$(dirname "$0")/../lib/system.sh"

verdict() {
	"$postern" explain --from "$1" --to al@acme.example -o json |
	    json 'j["reason"]'
}
value() {
	"$postern" policy show "$1" -o json | json "j.get(\"$2\")"
}
# deliver FROM TO: ask the first node as a mail server does
deliver() {
	python3 - "${node_tcp[0]}" "$1" "$2" <<-'PY'
	import socket, sys
	host, port = sys.argv[1].rsplit(":", 1)
	s = socket.create_connection((host, int(port)), 10)
	s.sendall(("request=smtpd_access_policy\nprotocol_state=RCPT\n"
	           "client_address=198.51.100.7\nsender=%s\nrecipient=%s\n\n"
	           % (sys.argv[2], sys.argv[3])).encode())
	print(s.makefile().readline().strip())
	PY
}
found() {
	[ "$("$postern" message search --to "$1" -o name | wc -l)" -ge 1 ]
}

start_dev --nodes 1 --policy deploy/examples/acme.yaml
block=(--type blocked_senders --action block_sender --narrative "One domain")

# --- add, show, list
expect add_needs_flags_2 2 "$postern" policy add one
expect add_without_a_target_is_7 7 "$postern" policy add one "${block[@]}" \
    --to internal
says add_says_what_is_missing err 'policy one: "from" is missing'
expect add_dry_run_is_1 1 "$postern" policy add one "${block[@]}" \
    --from domain:one.example --to internal --dry-run
says add_shows_the_change out "+ policy one"
expect show_of_none_is_3 3 "$postern" policy show one
expect add_is_0 0 "$postern" policy add one "${block[@]}" \
    --from domain:one.example --to internal --for 30d --wait
same policy_refuses "$(verdict x@one.example)" blocked_envelope
expect add_again_is_4 4 "$postern" policy add one "${block[@]}" \
    --from domain:one.example --to internal
expect ls_is_0 0 "$postern" policy ls -o name
says ls_has_it out "one"
expect ls_csv_is_0 0 "$postern" policy ls -o csv
says csv_has_a_head out "id,type,action,from"
expect show_is_0 0 "$postern" policy show one
says show_has_the_end out "until"
python3 - "$POSTERN_ADDR" "$POSTERN_TOKEN_FILE" >"$dir/pages" <<'PY'
import json, sys, urllib.request
ids, after = [], ""
while True:
    r = urllib.request.Request(
        sys.argv[1] + "/v1/policies?limit=2" + after, headers={
            "Authorization": "Bearer " + open(sys.argv[2]).read().strip()})
    page = json.load(urllib.request.urlopen(r))
    assert len(page["policies"]) <= 2
    ids += [p["id"] for p in page["policies"]]
    if "next" not in page:
        break
    after = "&after=" + page["next"]
print("\n".join(ids))
PY
same pages_make_the_list "$(cat "$dir/pages")" \
    "$("$postern" policy ls -o name)"

# --- set, enable, disable
expect set_is_0 0 "$postern" policy set one --from address:y@one.example \
    --source-ip 198.51.100.0/24 --valid-until ''
same what_was_not_said_stays "$(value one narrative)" "One domain"
same set_changes_the_target "$(value one from)" \
    '{"address": "y@one.example"}'
expect list_is_taken_out 0 "$postern" policy set one --source-ip '' \
    --from attribute:dept=legal --override
same list_is_gone "$(value one source_ips)" null
same attribute_is_one "$(value one from)" '{"attribute": {"dept": "legal"}}'
expect set_back 0 "$postern" policy set one --from domain:one.example \
    --override=false
expect wrong_switch_is_2 2 "$postern" policy set one --enabled=maybe
expect disable_is_0 0 "$postern" policy disable one
same disabled_refuses_nothing "$(verdict x@one.example)" accepted
expect enable_is_0 0 "$postern" policy enable one --wait
same enabled_refuses_again "$(verdict x@one.example)" blocked_envelope

# --- who holds it
expect disable_of_a_file_is_4 4 "$postern" policy disable blocked-senders
says conflict_says_what_to_do err "--take-over"
expect rm_of_a_file_is_4 4 "$postern" policy rm blocked-senders --yes
expect take_over_is_0 0 "$postern" policy disable blocked-senders --take-over
same taken_over_is_ours "$(value blocked-senders managers)" '["cli"]'
expect ours_is_changed_unasked 0 "$postern" policy enable blocked-senders

# --- hits
deliver x@one.example al@acme.example >"$dir/answer"
says refused_by_it "$dir/answer" "550 5.7.1"
until_true 10 found al@acme.example
expect hits_is_0 0 "$postern" policy hits --days 1 -o csv
says hits_counts out "one,1,0,0,"
says hits_counts_the_silent out "blocked-senders,0,0,0,"

# --- a remedy by its number, and for recipients
deliver news@shop.example al@acme.example >"$dir/answer"
until_true 10 "$postern" message search --from news@shop.example
id=$("$postern" message search --from news@shop.example -o name)
expect remedy_out_of_range_is_2 2 "$postern" message allow "$id" --remedy 9 \
    --yes
expect second_remedy_is_a_permit 1 "$postern" message allow "$id" \
    --remedy 2 --dry-run
says second_remedy_permits out "permit"
cat >"$dir/known.yaml" <<'Y'
organization:
  internal_domains:
    - {domain: known.example, recipient_validation: known}
directory:
  - {address: off@known.example, enabled: false}
Y
expect known_domain_is_applied 0 "$postern" apply --set known \
    -f "$dir/known.yaml" --wait
deliver x@ok.example off@known.example >"$dir/answer"
says disabled_mailbox_is_refused "$dir/answer" "550 5.2.1"
deliver x@ok.example new@known.example >"$dir/answer"
says unknown_mailbox_is_refused "$dir/answer" "550 5.1.1"
for who in off new; do
	until_true 10 found "$who@known.example"
	id=$("$postern" message search --to "$who@known.example" -o name)
	expect "allow_mends_the_directory_for_$who" 0 "$postern" message \
	    allow "$id" --yes --wait
	deliver x@ok.example "$who@known.example" >"$dir/answer"
	says "${who}_is_let_in_now" "$dir/answer" "action=DUNNO"
done

expect rm_asks_2 2 "$postern" policy rm one
expect rm_reads_its_input 0 bash -c \
    "echo one | '$postern' policy rm - --yes"
expect rm_did_it_3 3 "$postern" policy show one

# --- what an apply would do, and where
sed 's/known.example/other.example/' "$dir/known.yaml" >"$dir/next.yaml"
expect apply_dry_run_is_1 1 "$postern" apply --set next -f "$dir/next.yaml" \
    --dry-run
says dry_run_shows_the_change out "+ domain other.example"
says dry_run_names_the_nodes out "1 node would take it: ${node_id[0]}"
