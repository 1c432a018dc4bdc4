#!/usr/bin/env bash
# 40_milter_postfix.sh - a real Postfix with both the policy service and the
# milter: refusals at RCPT and after the headers, per recipient in all three
# modes, its own refusals recorded, headers put in and forged ones taken out.
. "$(dirname "$0")/../lib/system.sh"

# document MODE: al and bo exist; what is about headers concerns al alone
document() {
	cat <<-Y
	organization:
	  internal_domains: [acme.example]
	  mixed_recipients: $1
	policies:
	  - {id: bad, type: blocked_senders, narrative: n, action: block_sender,
	     from: {domain: bad.example}, to: internal}
	  - {id: lifted, type: blocked_senders, narrative: n,
	     action: take_no_action, addresses_based_on: header,
	     from: {domain: ok.example}, to: {address: al@acme.example},
	     source_ips: [127.0.0.0/8], override: true}
	  - {id: evil, type: blocked_senders, narrative: n, action: block_sender,
	     addresses_based_on: header, from: {domain: evil.example},
	     to: {address: al@acme.example}}
	  - {id: good, type: permitted_senders, narrative: n,
	     action: permit_sender, from: {domain: good.example}, to: internal}
	managed_senders:
	  bo@acme.example:
	    - {block: x@shop.example}
	Y
}

enforce() {
	document "$1" >"$dir/policy.yaml"
	holds "$1_is_enforced" "$postern" apply -f "$dir/policy.yaml" --wait
}

# send ARGUMENT...: one transaction; its replies in $dir/smtp.json
send() {
	smtp "$@" >"$dir/smtp.json"
}

# rcpt NAME ADDRESS CODE; data NAME CODE
rcpt() {
	same "$1" "$(json "j['rcpt']['$2']" "$dir/smtp.json")" "$3"
}

data() {
	same "$1" "$(json 'j["data"]' "$dir/smtp.json")" "$2"
}

# event NAME REASON TO ORIGIN AFTER: the newest of the message center
event() {
	local want="$2 $3 $4 $5"
	is_newest() {
		got=$("$postern" message search -o json | json \
		    '"%s %s %s %s" % (lambda m: (m["reason"], m["to"],
m["origin"], m.get("after_acceptance", False)))(j["messages"][0])')
		[ "$got" = "$want" ]
	}
	until_true 10 is_newest
	same "$1" "$got" "$want"
}

# arrives TEXT: a captured message holds it
arrives() {
	grep -rqF -- "$1" "$capture"
}

document remove >"$dir/policy.yaml"
start_dev --nodes 1 --policy "$dir/policy.yaml"
milter=$(each milter_tcp)
start_postfix --capture "smtpd_milters = inet:$milter" \
    "milter_default_action = tempfail" \
    "smtpd_recipient_restrictions = check_policy_service inet:$node_tcp`
    `, reject_unauth_destination"

# at RCPT, asked by both: one refusal, one event
send --mail-from x@bad.example --to bo@acme.example
rcpt envelope_block_is_refused_at_rcpt bo@acme.example 550
event envelope_block_is_recorded blocked_envelope bo@acme.example gateway False
same refusal_is_recorded_once "$(messages)" 1

# what a header may lift waits for it, also on the policy service (auto)
send --mail-from x@bad.example --header 'From: a@ok.example' \
    --to al@acme.example
rcpt open_block_passes_rcpt al@acme.example 250
data header_lifts_the_block 250
send --mail-from x@bad.example --header 'From: a@bad.example' \
    --to al@acme.example
rcpt open_block_passes_rcpt_again al@acme.example 250
data block_stands_after_the_headers 550
event late_block_is_recorded blocked_envelope al@acme.example gateway False

# the same question of a server whose milter never comes: counted in the end
python3 "$lib/policy.py" readsocket "$node_tcp" \
    request=smtpd_access_policy protocol_state=RCPT instance=lost.1 \
    client_address=127.0.0.9 sender=x@bad.example \
    recipient=al@acme.example >"$dir/lost"
says lost_message_passes_rcpt lost 'action=DUNNO'

# header block of the only recipient
send --mail-from x@far.example --header 'From: "a" <a@evil.example>' \
    --to al@acme.example
data header_block_refuses_the_message 550
event header_block_is_recorded blocked_header al@acme.example gateway False
says header_block_says_why smtp.json 'Rejected by header based'

# remove: one is taken out, the other gets it
send --mail-from remove@far.example --header 'From: a@evil.example' \
    --to al@acme.example --to bo@acme.example
data remove_accepts_the_message 250
event remove_is_recorded blocked_header al@acme.example gateway True
holds remove_delivers_to_the_other until_true 20 arrives \
    'X-Mail-Args: <remove@far.example>'
same remove_delivers_to_nobody_else "$(grep -rh -A1 \
    'X-Mail-Args: <remove@far.example>' "$capture" |
    sed -n 's/^X-Rcpt-Args: <\([^>]*\).*/\1/p')" bo@acme.example

# a user's own entry, by header
send --mail-from y@far.example --header 'From: x@shop.example' \
    --to bo@acme.example
data users_block_by_header_refuses 550
event users_block_by_header_is_recorded user_blocked_header \
    bo@acme.example gateway False

# the mail server's own refusal
echo 'no@acme.example 554 5.7.9 not here' >"$dir/access"
chmod 644 "$dir/access"
start_postfix "smtpd_milters = inet:$milter" "smtpd_recipient_restrictions =`
    ` check_recipient_access texthash:$dir/access`
    `, check_policy_service inet:$node_tcp, reject_unauth_destination"
send --mail-from x@far.example --to no@acme.example --to bo@acme.example
rcpt servers_own_refusal_stands no@acme.example 554
rcpt servers_own_refusal_is_of_one bo@acme.example 250
event servers_own_refusal_is_recorded mta_refused no@acme.example mta False
"$postern" message search -o json >"$dir/messages.json"
says servers_own_refusal_has_its_text messages.json 'not here'

# decision headers: ours are there, forged ones are not
start_postfix --capture "smtpd_milters = inet:$milter" \
    "smtpd_recipient_restrictions = permit"
send --mail-from x@good.example --header 'X-Postern-Bypass: forged-1' \
    --header 'From: x@good.example' \
    --header 'x-postern-bypass : forged-2' \
    --header 'X-Postern-Decision: forged-3' --to bo@acme.example
data permitted_message_is_accepted 250
holds permitted_message_arrives until_true 20 arrives '<x@good.example>'
holds permit_is_signalled arrives `
    `'X-Postern-Bypass: spam, greylist, reputation; granted-by=admin'
holds decision_is_signalled arrives 'X-Postern-Decision: accepted; policy-ver'
if arrives forged; then
	not_ok forged_headers_are_gone "" "$capture"/*
else
	ok forged_headers_are_gone
fi

# without the policy service the milter refuses at RCPT, with our words alone
send --mail-from x@bad.example --to bo@acme.example
rcpt milter_refuses_at_rcpt bo@acme.example 550
same milter_refuses_in_our_words "$(json '[r["text"].split(" [")[0]
for r in j["replies"] if r["code"] == 550][0]' "$dir/smtp.json")" \
    'Administrative prohibition - envelope blocked'

# reject_all: the other recipient's mail is refused with it
enforce reject_all
send --mail-from all@far.example --header 'From: a@evil.example' \
    --to bo@acme.example --to al@acme.example
data reject_all_refuses_the_message 550
holds reject_all_tells_both until_true 10 at_least 2 --from all@far.example

# split: the other policies' recipient comes again
enforce split
send --mail-from split@far.example --header 'From: a@evil.example' \
    --to bo@acme.example --to al@acme.example
rcpt split_takes_the_first bo@acme.example 250
rcpt split_sends_the_other_away al@acme.example 452
data split_delivers_to_the_first 250
send --mail-from split@far.example --header 'From: a@evil.example' \
    --to al@acme.example
rcpt split_takes_him_alone al@acme.example 250
data split_refuses_him_alone 550

curl -s "$node_health/metrics" >"$dir/metrics"
says metrics_count_what_was_taken_out metrics 'postern_after_acceptance_total 1'
says metrics_count_the_servers_own metrics 'postern_mta_refused_total 1'
says nothing_was_malformed metrics 'postern_malformed_total 0'

# the one message that no milter saw
lost_is_counted() {
	curl -s "$node_health/metrics" |
	    grep -q '^postern_open_unresolved_total 1$'
}
holds lost_message_is_counted until_true 45 lost_is_counted
says lost_message_is_warned_of "$dev_dir/node-1/log" \
    'decide.open_unresolved messages=1'
