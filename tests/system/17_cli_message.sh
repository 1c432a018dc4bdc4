#!/usr/bin/env bash
# 17_cli_message.sh - from a refusal at a node to the change that lets it in:
# search, show, allow; what a search that finds nothing proves.
source "$(dirname "$0")/../lib/system.sh"

# deliver NODE FROM TO: ask the node as a mail server does; prints its answer
deliver() {
	python3 - "${node_tcp[$1]}" "$2" "$3" <<-'PY'
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
	"$postern" message search --from "$1" -o name
}
first_id() {
	"$postern" message search --from "$1" -o json |
	    json 'j["messages"][0]["id"]'
}

start_dev --nodes 2 --policy deploy/examples/acme.yaml
expect nothing_yet_is_1 1 "$postern" message search --from x@bad.example
says nothing_says_who_was_heard out "${node_id[1]} was heard until"
expect nobody_refused_yet_is_1 1 "$postern" sender top
expect wrong_status_is_2 2 "$postern" message search --status refused
expect wrong_id_is_2 2 "$postern" message show 0123456789
deliver 0 x@bad.example al@acme.example >"$dir/answer"
says refused_at_the_node "$dir/answer" "550 5.7.1"
deliver 1 news@shop.example al@acme.example >"$dir/answer"
says refused_for_the_user "$dir/answer" "550 5.7.1"
until_true 10 found x@bad.example
until_true 10 found news@shop.example
id=$(first_id x@bad.example)
expect search_finds_any_spelling 0 "$postern" message search \
    --from X@Bad.Example --since 1h --id "${id,,}"
expect search_of_another_time_is_1 1 "$postern" message search \
    --from x@bad.example --until 1h
expect wrong_time_is_2 2 "$postern" message search --since yesterday
expect explain_of_the_event_is_1 1 "$postern" explain --event "$id"
says explain_names_the_policy out "policy   blocked-senders"
expect show_is_0 0 "$postern" message show "$id"
same show_speaks_of_no_header "$(grep -c "From has no" "$dir/out")" 0
says show_has_the_remedy out "Blocked Senders Exceptions"
expect top_is_0 0 "$postern" sender top
says top_has_the_sender out x@bad.example
same status_counts_messages "$("$postern" status -o json |
    json 'j["messages"]')" 2

expect allow_dry_run_is_1 1 "$postern" message allow "$id" --dry-run
says allow_shows_the_change out "+ entry x@bad.example Blocked Senders Exc"
expect allow_off_a_terminal_asks 2 "$postern" message allow "$id"
expect allow_is_0 0 "$postern" message allow "$id" --yes --wait
says allow_says_until_and_what_to_do out "ask the sender to send it again"
"$postern" group show "Blocked Senders Exceptions" -o json >"$dir/group"
same allow_holds_it "$(json '[e["managers"] for e in j["entries"]
    if e["entry"] == "x@bad.example"][0]' "$dir/group")" '["allow"]'
same allow_is_for_90_days "$(json '(__import__("datetime").datetime.
    fromisoformat([e["until"] for e in j["entries"]
    if "until" in e][0][:10]) - __import__("datetime").datetime.utcnow()
    ).days in (88, 89, 90)' "$dir/group")" true
deliver 0 x@bad.example al@acme.example >"$dir/answer"
says let_in_now "$dir/answer" "action=DUNNO"
expect allow_again_is_4 4 "$postern" message allow "$id" --yes
says allow_again_says_why err "lets message $id in already"

id=$(first_id news@shop.example)
expect users_block_of_a_file_is_lifted 0 "$postern" message allow "$id" \
    --yes --wait
deliver 1 news@shop.example al@acme.example >"$dir/answer"
says users_block_is_lifted "$dir/answer" "action=DUNNO"

# a block that the exceptions group does not outrank: a policy is made
cat >"$dir/over.yaml" <<'Y'
policies:
  - {id: over, type: blocked_senders, narrative: n, action: block_sender, from: {domain: over.example}, to: internal, override: true, source_ips: [198.51.100.0/24]}
Y
expect override_is_applied 0 "$postern" apply --set over -f "$dir/over.yaml" \
    --wait
deliver 0 x@over.example al@acme.example >"$dir/answer"
says refused_by_override "$dir/answer" "550 5.7.1"
until_true 10 found x@over.example
id=$(first_id x@over.example)
expect allow_makes_a_policy 0 "$postern" message allow "$id" --for 1h --yes \
    --wait
deliver 0 x@over.example al@acme.example >"$dir/answer"
says policy_lets_it_in "$dir/answer" "action=DUNNO"
says policy_is_allows <("$postern" export --manager allow) "take_no_action"
expect node_rm_asks 2 "$postern" node rm "${node_id[1]}"
expect node_rm_is_0 0 "$postern" node rm "${node_id[1]}" --yes
expect node_is_gone_3 3 "$postern" node show "${node_id[1]}"
expect token_is_0 0 "$postern" node join-token --ttl 5m
