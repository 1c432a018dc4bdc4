#!/usr/bin/env bash
# run.sh - shows Postern with a real Postfix: a controller, two nodes and a
# mail server of their own on loopback, real SMTP, and the reason for a reply.
#
# All of it stands in one folder that is removed at the end; a Postfix that is
# on this machine already is not touched.
set -u
cd "$(dirname "$0")/../.." || exit 1
postern=build/postern
dir=$(mktemp -d)
chmod 755 "$dir"
dev=
failed=0

cleanup() {
	[ ! -f "$dir/etc/main.cf" ] ||
	    postfix -c "$dir/etc" stop >/dev/null 2>&1
	if [ -n "$dev" ]; then
		kill "$dev" 2>/dev/null
		wait "$dev" 2>/dev/null
	fi
	rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

die() {
	echo "demo: $*" >&2
	exit 1
}

step() {
	printf '\n== %s\n' "$*"
}

check() {
	"$@" || { echo "NOT SO: $*" >&2; failed=1; }
}

# The value of an expression over the JSON on standard input, called j.
json() {
	python3 -c 'import json, sys
j = json.load(sys.stdin)
print(eval(sys.argv[1]))' "$1"
}

# until_true TENTHS COMMAND...: try until it succeeds or the time is over
until_true() {
	local n=$1
	shift
	while ! "$@" >/dev/null 2>&1; do
		n=$((n - 1))
		[ "$n" -gt 0 ] || return 1
		sleep 0.1
	done
}

PATH=$PATH:/usr/sbin:/sbin
command -v postfix >/dev/null || die "there is no postfix; deploy/deps.sh" \
    "installs it"
[ "$(id -u)" = 0 ] || die "Postfix starts as root only: use sudo make demo"
make --no-print-directory all || die "the build failed"

step "a controller and two nodes, with the policy of Acme"
# without the list that stands beside it: that is imported below
sed 's/^  Disposable Domains: .*/  Disposable Domains: []/' \
    deploy/examples/acme.yaml >"$dir/acme.yaml"
"$postern" dev --nodes 2 --policy "$dir/acme.yaml" -o json \
    >"$dir/ready" 2>"$dir/dev.log" &
dev=$!
until_true 300 grep -q '}$' "$dir/ready" || {
	cat "$dir/dev.log" >&2
	die "postern dev is not ready"
}
POSTERN_ADDR=$(json 'j["api"]' <"$dir/ready")
POSTERN_TOKEN_FILE=$(json 'j["token_file"]' <"$dir/ready")
node=$(json 'j["nodes"][0]["policy_tcp"]' <"$dir/ready")
export POSTERN_ADDR POSTERN_TOKEN_FILE
check "$postern" node ls

step "$(grep -c '^[^#]' deploy/examples/disposable-domains.txt) throw-away" \
    "mail domains, imported, and every node enforces them"
check "$postern" group import "Disposable Domains" \
    deploy/examples/disposable-domains.txt --wait
check "$postern" status

step "a Postfix that asks node 1"
port=$(python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])')
mkdir -p "$dir/etc" "$dir/queue" "$dir/data"
chown postfix "$dir/data"
cat >"$dir/etc/main.cf" <<CF
compatibility_level = 3.6
queue_directory = $dir/queue
data_directory = $dir/data
maillog_file = $dir/mail.log
maillog_file_prefixes = $dir
myhostname = mx.acme.example
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.3/32
relay_domains = acme.example
relay_recipient_maps =
alias_maps =
alias_database =
smtputf8_enable = no
smtpd_peername_lookup = no
default_transport = discard:
relay_transport = discard:
smtpd_relay_before_recipient_restrictions = no
smtpd_recipient_restrictions = check_policy_service inet:$node
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
CF
cat >"$dir/etc/master.cf" <<CF
127.0.0.1:$port inet n - n - - smtpd
pickup    unix n - n 60 1 pickup
cleanup   unix n - n - 0 cleanup
qmgr      unix n - n 300 1 qmgr
rewrite   unix - - n - - trivial-rewrite
bounce    unix - - n - 0 bounce
defer     unix - - n - 0 bounce
trace     unix - - n - 0 bounce
error     unix - - n - - error
discard   unix - - n - - discard
anvil     unix - - n - 1 anvil
scache    unix - - n - 1 scache
proxymap  unix - - n - - proxymap
postlog   unix-dgram n - n - 1 postlogd
CF
postfix -c "$dir/etc" start >"$dir/postfix.log" 2>&1 || {
	cat "$dir/postfix.log" >&2
	die "this Postfix does not start"
}
until_true 100 python3 -c "import socket
socket.create_connection(('127.0.0.1', $port), 1)" ||
    die "this Postfix does not answer"

step "SMTP, as Postfix answers it"
check python3 deploy/demo/smtp.py "$port" "$dir/ids"

step "what was refused"
# each id that Postfix passed on, with the reason that was expected
found() {
	"$postern" message search --status rejected -o json \
	    >"$dir/found.json" && json '"\n".join("%s %s" % (m["id"],
	    m["reason"]) for m in j["messages"])' <"$dir/found.json" |
	    sort >"$dir/found" && sort "$dir/ids" | diff - "$dir/found"
}
until_true 100 found || {
	echo "NOT SO: what was refused differs from what was found" >&2
	found >&2
	failed=1
}
check "$postern" message search --status rejected

step "why, for one of them, and what would let it in"
id=$(json 'j["messages"][-1]["id"]' <"$dir/found.json")
check "$postern" message show "$id"
"$postern" explain --from news@shop.example --to al@acme.example \
    --ip 127.0.0.2
check test $? = 1

step "$([ "$failed" = 0 ] && echo "all as expected" ||
    echo "not all was as expected")"
exit "$failed"
