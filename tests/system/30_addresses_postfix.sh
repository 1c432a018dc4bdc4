#!/usr/bin/env bash
# 30_addresses_postfix.sh - what the node decided on is what Postfix delivers:
# odd addresses, quoted, escaped, routed, with "%" and "!", in UTF-8, go
# through a real Postfix as senders and as recipients.
#
# The policy refuses everything, so that each decision is an event with the
# address it was about; Postfix is told to go on all the same, and logs the
# envelope that it delivers.
. "$(dirname "$0")/../lib/system.sh"
corpus=tests/fixtures/addresses/postfix.txt

cat >"$dir/policy.yaml" <<'Y'
organization: {internal_domains: [acme.example]}
policies:
  - {id: all, type: blocked_senders, narrative: All, action: block_sender, from: everyone, to: internal}
Y
start_dev --policy "$dir/policy.yaml"
start_postfix 'smtputf8_enable = yes' 'smtpd_hard_error_limit = 1000' \
    'smtpd_junk_command_limit = 1000' 'smtpd_error_sleep_time = 0' \
    "smtpd_recipient_restrictions = `
    `warn_if_reject check_policy_service inet:${node_tcp[0]}"

delivered() {
	[ "$(grep -c ' status=sent ' "$mail_log")" -ge "$1" ]
}

accepted=$(python3 "$lib/odd_addresses.py" send "$smtp_port" "$corpus") ||
    die "the session was cut" "$mail_log"
until_true 15 delivered "$accepted" || die "not all is delivered" "$mail_log"
# a node's events arrive in their order: when the last is there, all are
smtp --client 127.0.0.3 --mail-from last@out.example \
    --to last@acme.example >"$dir/last.json"
until_true 10 at_least 1 --from last@out.example ||
    die "the last event is not there" "$dir/dev.log"
"$postern" message search --limit 1000 -o json >"$dir/messages.json"
python3 "$lib/odd_addresses.py" compare "$corpus" "$dir/messages.json" \
    "$mail_log"

# a message file's header From comes to the controller as it is in the file
printf 'From: J\366rg <al\000@x.example>,\r\n "B" <b@y.example>\r\n\r\n' \
    >"$dir/m.eml"
expect controller_explains_a_message_file 1 "$postern" explain \
    --from x@out.example --to al@acme.example --ip 198.51.100.7 \
    --eml "$dir/m.eml" -o json
same controller_reads_its_header_from "$(json \
    '(j["header"]["addresses"], j["header"]["malformed"])' "$dir/out")" \
    '[["al@x.example", "b@y.example"], true]'

# Where the domain is local to Postfix, "%" and "!" in front of it route on;
# the node sees an internal recipient.  That such mail of a stranger goes no
# further is Postfix's own relay restriction, which therefore stays.
start_postfix 'mydestination = acme.example' 'relay_domains =' \
    'local_transport = discard:' 'local_recipient_maps =' \
    "smtpd_recipient_restrictions = `
    `warn_if_reject check_policy_service inet:${node_tcp[0]}"
# routed ADDRESS: the reply to a stranger who writes to it
routed() {
	smtp --mail-from x@out.example --to "$1" |
	    json 'list(j["rcpt"].values())[0]'
}
same routed_by_percent_is_refused "$(routed al%y.example@acme.example)" 554
same routed_by_bang_is_refused "$(routed y.example!al@acme.example)" 554
same routed_by_quoted_at_is_refused "$(routed \
    '"al@y.example"@acme.example')" 554
same not_routed_is_accepted "$(routed al@acme.example)" 250
