#!/usr/bin/env bash
# 11_postfix_replies.sh - a real Postfix asks over TCP and over the unix
# socket: each recipient has its own reply, each refusal is in the message
# center, and explain says why.  Exim's way of asking too.
. "$(dirname "$0")/../lib/system.sh"
acme=deploy/examples/acme.yaml

start_dev --nodes 2 --policy "$acme"

# reply NAME CODE ENHANCED ARGUMENT...: the one recipient's reply
reply() {
	local name=$1 want="$2 $3"
	shift 3
	smtp "$@" >"$dir/smtp.json" || {
		not_ok "$name" "the session was cut" "$dir/smtp.json" \
		    "$mail_log"
		return
	}
	same "$name" "$(json '"%s %s" % next((r["code"], r["enhanced"])
for r in j["replies"] if r["command"].startswith("RCPT"))' \
	    "$dir/smtp.json")" "$want"
}

# ours NAME: the last refusal carries an id, the message center has it, and
# explains it
ours() {
	local id
	id=$(json 'j["replies"][-2]["text"].rsplit("[")[-1].rstrip("]")' \
	    "$dir/smtp.json")
	holds "${1}_is_in_the_message_center" until_true 10 "$postern" \
	    message show "$id"
	"$postern" message show "$id" -o json >"$dir/message.json"
	same "${1}_is_explained" "$(json 'j["explain"]["verdict"]' \
	    "$dir/message.json")" reject
}

transactions() {
	reply "$1_stranger_is_accepted" 250 2.1.5 \
	    --mail-from x@ok.example --to al@acme.example
	same "$1_message_is_accepted" "$(json 'j["data"]' "$dir/smtp.json")" \
	    250
	reply "$1_blocked_domain_is_refused" 550 5.7.1 \
	    --mail-from offers@bad.example --to al@acme.example
	ours "$1_blocked_domain"
	same "$1_reason" "$(json '(j["reason"], j["policy"], j["to"], j["from"],
j["client_ip"])' "$dir/message.json")" '["blocked_envelope", '`
	    `'"blocked-senders", "al@acme.example", "offers@bad.example", '`
	    `'"127.0.0.2"]'
	reply "$1_exception_is_accepted" 250 2.1.5 \
	    --mail-from billing@bad.example --to al@acme.example
	reply "$1_users_block_is_refused" 550 5.7.1 \
	    --mail-from news@shop.example --to al@acme.example
	ours "$1_users_block"
	same "$1_users_block_is_the_users" "$(json 'j["level"]' \
	    "$dir/message.json")" user
	reply "$1_other_user_is_accepted" 250 2.1.5 \
	    --mail-from news@shop.example --to bo@acme.example
	reply "$1_relay_attempt_is_refused" 554 5.7.1 \
	    --mail-from x@ok.example --to y@other.example
	ours "$1_relay_attempt"
	reply "$1_our_client_may_send" 250 2.1.5 --client 127.0.0.3 \
	    --mail-from al@acme.example --to y@other.example
	reply "$1_null_sender_is_accepted" 250 2.1.5 \
	    --mail-from '' --to al@acme.example
	# two recipients of one message, each with its own reply
	smtp --mail-from news@shop.example --to al@acme.example \
	    --to bo@acme.example >"$dir/smtp.json"
	same "$1_each_recipient_has_its_reply" "$(json '[j["rcpt"][
"al@acme.example"], j["rcpt"]["bo@acme.example"], j["data"]]' \
	    "$dir/smtp.json")" '[550, 250, 250]'
}

start_postfix "smtpd_recipient_restrictions = `
    `check_policy_service inet:${node_tcp[0]}"
transactions tcp
start_postfix "smtpd_recipient_restrictions = `
    `check_policy_service unix:${node_unix[1]}"
transactions unix
same both_nodes_reported "$("$postern" message search -o json |
    json 'sorted({m["node"] for m in j["messages"]})')" \
    '["node-1", "node-2"]'
same nothing_was_refused_twice "$(messages)" 8

# a list of 8,335 domains goes in by one command, and answers
begin=$(now_ms)
expect import_is_0 0 "$postern" group import "Throw-away" \
    deploy/examples/disposable-domains.txt --create --wait
echo "# imported and enforced in $(($(now_ms) - begin)) ms"
same all_its_domains_are_there "$("$postern" group export Throw-away |
    sort -u | wc -l)" "$(grep -vc '^#\|^$' \
    deploy/examples/disposable-domains.txt)"
reply disposable_domain_is_refused 550 5.7.1 \
    --mail-from x@10minutemail.com --to bo@acme.example
ours disposable_domain

# Exim's ${readsocket: one request, its side shut, all until the end
exim() {
	python3 tests/lib/policy.py readsocket "$1" \
	    request=smtpd_access_policy protocol_state=RCPT instance=e1 \
	    client_address=198.51.100.7 sender="$2" recipient=al@acme.example
}
for address in "${node_tcp[0]}" "${node_unix[0]}"; do
	kind=${address##*/}
	kind=${kind%%[.:]*}
	same "readsocket_${kind}_has_the_refusal" "$(exim "$address" \
	    x@bad.example | cut -c1-17)" 'action=550 5.7.1 '
	same "readsocket_${kind}_has_the_rest" "$(exim "$address" \
	    x@ok.example)" 'action=DUNNO'
done
