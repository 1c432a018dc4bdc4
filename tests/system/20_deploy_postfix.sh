#!/usr/bin/env bash
# 20_deploy_postfix.sh - the lines of deploy/postfix/main.cf in a real
# Postfix: the node is asked, relaying too, and without it mail is deferred.
# shellcheck source=tests/lib/system.sh
. "$(dirname "$0")/../lib/system.sh"

start_dev --policy deploy/examples/acme.yaml
# ours as the file has them, with this node's port
start_postfix "$(sed "s/127\\.0\\.0\\.1:10031/${node_tcp[0]}/" \
    deploy/postfix/main.cf)"

# replies NAME CODE ENHANCED TEXT ARGUMENT...: the reply to RCPT
replies() {
	local name=$1 code=$2 enhanced=$3 text=$4
	shift 4
	smtp "$@" >"$dir/smtp.json"
	same "$name" "$(json '[[r["code"], r["enhanced"], "'"$text"'" in
	    r["text"]] for r in j["replies"] if
	    r["command"].startswith("RCPT")]' "$dir/smtp.json")" \
	    "[[$code, \"$enhanced\", true]]"
}
replies accepted_mail_passes 250 2.1.5 Ok \
    --mail-from x@ok.example --to al@acme.example
replies blocked_domain_is_refused 550 5.7.1 "envelope blocked [" \
    --mail-from offers@bad.example --to al@acme.example
replies relaying_is_refused_by_the_node 554 5.7.1 "Relay access denied [" \
    --mail-from x@ok.example --to y@other.example
holds relaying_is_in_the_message_center until_true 10 at_least 1 \
    --reason relay_unauthorized

kill -KILL "${node_pid[0]}"
until_true 5 has_ended "${node_pid[0]}"
begin_time
replies without_a_node_mail_is_deferred 451 4.3.0 "Temporary local problem" \
    --mail-from x@ok.example --to al@acme.example
within deferral_comes_within_11_s 11000
says postfix_starts_with_the_lines "$mail_log" "daemon started"
holds no_setting_is_refused_by_postfix bash -c \
    '! grep -E "unused parameter|malformed|fatal:" "$1"' - "$mail_log"
