#!/usr/bin/env bash
# system.sh - what system tests share; sourced by tests/system/NN_*.sh.
#
# Gives a folder of the test's own ($dir), real programs in it on free ports,
# and an end that stops exactly what was started, by process id, whether the
# test ends well, badly or by a signal.  A script says "ok NAME" or "not ok
# NAME: why" for each thing it holds; tests/lib/run.py counts those lines.
#
# Waits are on conditions, with a limit; until_true is the one loop.  A machine
# that is slow or busy is no fault: limits end what hangs, and `within` holds
# a time against nobody while programs wait for a processor or a disk.
set -u
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
BUILD=$(realpath "${BUILD:-build}")
PATH=$PATH:/usr/sbin:/sbin
postern=$BUILD/postern
lib=$PWD/tests/lib
tick_s=0.05
summed_s=2.1		# the kernel sums up what waited every 2 s
patience=6		# times what a wait takes at most when all is quiet

dir=$(mktemp -d)
chmod 711 "$dir"
started=()		# process ids, in the order of their start
postfixes=()		# configuration folders of each Postfix

cleanup() {
	local i
	trap '' INT TERM
	for i in "${postfixes[@]}"; do
		postfix -c "$i" stop >/dev/null 2>&1
	done
	for ((i = ${#started[@]} - 1; i >= 0; i--)); do
		stop "${started[i]}"
	done
	cut -d' ' -f2 /proc/mounts | grep -F "$dir/" | sort -r |
	    while read -r i; do
		umount "$i"
	done
	rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 143' TERM
trap 'exit 130' INT

# --- saying how it went -------------------------------------------------------

ok() {
	echo "ok $1"
}

# not_ok NAME [WHY [FILE...]]: the files are shown
not_ok() {
	local name=$1 file
	echo "not ok $name${2:+: $2}"
	shift
	[ "$#" -eq 0 ] || shift
	for file in "$@"; do
		tail -n 20 "$file"
	done
}

# skip WHY: the whole script ends here, and the runner says so
skip() {
	echo "$*"
	exit 77
}

# holds NAME COMMAND...: the command succeeds
holds() {
	local name=$1
	shift
	if "$@" >"$dir/held" 2>&1; then
		ok "$name"
	else
		not_ok "$name" "$*" "$dir/held"
	fi
}

# expect NAME STATUS COMMAND...: output is kept in $dir/out and $dir/err
expect() {
	local name=$1 want=$2 got
	shift 2
	"$@" >"$dir/out" 2>"$dir/err" </dev/null
	got=$?
	if [ "$got" = "$want" ]; then
		ok "$name"
	else
		not_ok "$name" "status $got, expected $want" "$dir/out" \
		    "$dir/err"
	fi
}

# says NAME FILE TEXT: the file (out, err, or a path) holds the text
says() {
	local file=$2
	[ "${file#/}" != "$file" ] || file=$dir/$file
	if grep -qF -- "$3" "$file"; then
		ok "$1"
	else
		not_ok "$1" "no \"$3\" in $2" "$file"
	fi
}

# same NAME GOT WANT
same() {
	if [ "$2" = "$3" ]; then
		ok "$1"
	else
		not_ok "$1" "\"$2\", expected \"$3\""
	fi
}

# die WHY [FILE...]: what the rest needs is not there
die() {
	not_ok "$(basename "$0" .sh)_can_go_on" "$@"
	exit 1
}

# --- waiting, values, ports ---------------------------------------------------

# until_true SECONDS COMMAND...: try until it succeeds or the time, `patience`
# times over, is gone
until_true() {
	local end=$((SECONDS + $1 * patience))
	shift
	while ! "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -le "$end" ] || return 1
		sleep "$tick_s"
	done
}

now_ms() {
	echo $((${EPOCHREALTIME/./} / 1000))
}

# stalled_ms: how long something here waited for a processor or a disk, since
# the machine started; nothing where the kernel does not tell
stalled_ms() {
	cat /proc/pressure/cpu /proc/pressure/io 2>/dev/null |
	    sed -n 's/^some .*total=//p' |
	    awk '{ us += $1 } END { if (NR > 0) printf "%d\n", us / 1000 }'
}

begin_time() {
	time_began=$(now_ms)
	time_stalled=$(stalled_ms)
}

# within NAME MS: so much time since begin_time at most; held only where the
# kernel tells that less than a fifth of it was lost to a busy machine
within() {
	local ms=$(($(now_ms) - time_began)) stalled
	if [ "$ms" -lt "$2" ]; then
		ok "$1"
		return
	fi
	sleep "$summed_s"
	stalled=$(stalled_ms)
	if [ -z "$stalled" ]; then
		echo "# $1: $ms ms; whether the machine was busy is not told"
		ok "$1"
	elif [ $(((stalled - time_stalled) * 5)) -ge "$ms" ]; then
		echo "# $1: $ms ms, but programs had to wait for" \
		    "$((stalled - time_stalled)) ms"
		ok "$1"
	else
		not_ok "$1" "$ms ms on a quiet machine, expected $2"
	fi
}

# json EXPRESSION [FILE]: a Python expression over the JSON, called j
json() {
	python3 -c 'import json, sys
j = json.load(open(sys.argv[2]) if len(sys.argv) > 2 else sys.stdin)
v = eval(sys.argv[1])
print(v if isinstance(v, str) else json.dumps(v))' "$@"
}

free_port() {
	python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])'
}

# listens PORT: somebody answers there
listens() {
	python3 -c 'import socket, sys
socket.create_connection(("127.0.0.1", int(sys.argv[1])), 1)' "$1"
}

# --- processes ----------------------------------------------------------------

# start LOG COMMAND...: in the background; sets $pid; output into the file
start() {
	local log=$1
	shift
	"$@" >"$log" 2>&1 </dev/null &
	pid=$!
	started+=("$pid")
}

is_running() {
	kill -0 "$1" 2>/dev/null && [ "$(cut -d' ' -f3 "/proc/$1/stat" \
	    2>/dev/null)" != Z ]
}

has_ended() {
	! is_running "$1"
}

# stop PID [SIGNAL]: what we started; it is killed when that does not help.
# The status is the one the process ended with.
stop() {
	local i
	kill -"${2:-TERM}" "$1" 2>/dev/null
	until_true 10 has_ended "$1" || kill -KILL "$1" 2>/dev/null
	wait "$1" 2>/dev/null
}

# --- Postern ------------------------------------------------------------------

# start_dev [ARGUMENT...]: postern dev with these; sets dev_pid, dev_dir,
# node_id[], node_tcp[], node_unix[], node_health[], node_pid[] (from 0), and
# exports POSTERN_ADDR and POSTERN_TOKEN_FILE.  $dir/ready.json is its line.
start_dev() {
	local ready=$dir/ready.json
	rm -f "$ready"
	"$postern" dev -o json "$@" >"$ready" 2>"$dir/dev.log" </dev/null &
	dev_pid=$!
	started+=("$dev_pid")
	until_true 30 eval "grep -q '}\$' '$ready' || has_ended $dev_pid"
	grep -q '}$' "$ready" || die "postern dev is not ready" "$dir/dev.log"
	dev_dir=$(json 'j["dir"]' "$ready")
	POSTERN_ADDR=$(json 'j["api"]' "$ready")
	POSTERN_TOKEN_FILE=$(json 'j["token_file"]' "$ready")
	export POSTERN_ADDR POSTERN_TOKEN_FILE
	mapfile -t node_id < <(each id)
	mapfile -t node_tcp < <(each policy_tcp)
	mapfile -t node_unix < <(each policy_unix)
	mapfile -t node_health < <(each health)
	mapfile -t node_pid < <(each pid)
}

each() {
	json '"\n".join(str(n["'"$1"'"]) for n in j["nodes"])' \
	    "$dir/ready.json"
}

# messages ARGUMENT...: how many "postern message search" finds with these
messages() {
	"$postern" message search "$@" -o json | json 'len(j["messages"])'
}

# at_least N ARGUMENT...: that many messages are found; for until_true
at_least() {
	local n=$1
	shift
	[ "$(messages "$@")" -ge "$n" ]
}

# --- Postfix ------------------------------------------------------------------

# start_postfix [--capture] [LINE...]: a Postfix of our own, with the lines
# added to its main.cf.  Sets smtp_port, postfix_dir and mail_log.  What it
# accepts is discarded; with --capture each message becomes a file in
# $capture.  Clients from 127.0.0.3 may relay, as far as Postfix is asked.
# $postfix_services, when set, is added to its master.cf.
start_postfix() {
	local transport=discard: sink
	[ "$(id -u)" = 0 ] || skip "Postfix starts as root only"
	command -v postfix >/dev/null || die "deploy/deps.sh installs postfix"
	postfix_dir=$dir/postfix-${#postfixes[@]}
	mail_log=$postfix_dir/mail.log
	smtp_port=$(free_port)
	mkdir -p "$postfix_dir/etc" "$postfix_dir/queue" "$postfix_dir/data"
	chown postfix "$postfix_dir/data"
	if [ "${1:-}" = --capture ]; then
		shift
		capture=$postfix_dir/capture
		mkdir "$capture"
		chown nobody "$capture"
		sink=$(free_port)
		start "$postfix_dir/sink.log" smtp-sink -u nobody \
		    -d "$capture/%s." "127.0.0.1:$sink" 20
		until_true 10 listens "$sink" ||
		    die "smtp-sink does not answer" "$postfix_dir/sink.log"
		transport="smtp:[127.0.0.1]:$sink"
	fi
	postfix_config "$transport" "$@"
	postfixes+=("$postfix_dir/etc")
	postfix -c "$postfix_dir/etc" start >"$postfix_dir/start.log" 2>&1 ||
	    die "this Postfix does not start" "$postfix_dir/start.log" \
	    "$mail_log"
	until_true 10 listens "$smtp_port" ||
	    die "this Postfix does not answer" "$mail_log"
}

postfix_config() {
	local transport=$1 service
	shift
	{
		cat <<-CF
		compatibility_level = 3.6
		queue_directory = $postfix_dir/queue
		data_directory = $postfix_dir/data
		maillog_file = $mail_log
		maillog_file_prefixes = $postfix_dir
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
		default_transport = $transport
		relay_transport = $transport
		smtpd_relay_before_recipient_restrictions = no
		smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
		CF
		printf '%s\n' "$@"
	} >"$postfix_dir/etc/main.cf"
	{
		echo "127.0.0.1:$smtp_port inet n - n - - smtpd"
		while read -r service; do
			echo "$service"
		done <<-CF
		pickup unix n - n 60 1 pickup
		cleanup unix n - n - 0 cleanup
		qmgr unix n - n 300 1 qmgr
		rewrite unix - - n - - trivial-rewrite
		bounce unix - - n - 0 bounce
		defer unix - - n - 0 bounce
		trace unix - - n - 0 bounce
		error unix - - n - - error
		smtp unix - - n - - smtp
		discard unix - - n - - discard
		anvil unix - - n - 1 anvil
		scache unix - - n - 1 scache
		proxymap unix - - n - - proxymap
		postlog unix-dgram n - n - 1 postlogd
		CF
		[ -z "${postfix_services:-}" ] || echo "$postfix_services"
	} >"$postfix_dir/etc/master.cf"
}

# smtp ARGUMENT...: one transaction with that Postfix, see smtp.py
smtp() {
	python3 "$lib/smtp.py" "$smtp_port" "$@"
}

# policy ADDRESS [NAME=VALUE...]: the action of a node for one RCPT, see
# policy.py; each is a transaction of its own
policy() {
	local address=$1
	shift
	python3 "$lib/policy.py" ask "$address" request=smtpd_access_policy \
	    protocol_state=RCPT instance="$(now_ms).$RANDOM" "$@"
}

# ask_all: a line "client sender recipient" each on standard input; what $node
# says to each, without the id of a refusal
ask_all() {
	local client sender recipient
	while read -r client sender recipient; do
		policy "$node" client_address="$client" sender="$sender" \
		    recipient="$recipient" | sed 's/ \[[^]]*\]$//'
	done
}

# refuses ADDRESS: the node there says 550 to the sender that Acme blocks
refuses() {
	policy "$1" client_address=198.51.100.7 sender=x@bad.example \
	    recipient=al@acme.example | grep -q '^550 5\.7\.1 '
}

# --- the programs one by one, to be killed and started again ------------------

# start_controller [ARGUMENT...]: in $dir/controller, the second time with its
# ports again; sets controller_pid, exports POSTERN_ADDR, POSTERN_TOKEN_FILE
start_controller() {
	local ready=$dir/controller.json i
	[ -n "${controller_ports:-}" ] || controller_ports=$(for i in 1 2 3 4
	    do free_port; done)
	set -- $controller_ports "$@"
	rm -f "$ready"
	start "$dir/controller.log" "$BUILD/postern-controller" \
	    --dir "$dir/controller" --ready-file "$ready" \
	    --api "127.0.0.1:$1" --control "tcp://127.0.0.1:$2" \
	    --events "tcp://127.0.0.1:$3" --enroll "tcp://127.0.0.1:$4" \
	    "${@:5}"
	controller_pid=$pid
	until_true 20 eval "[ -s '$ready' ] || has_ended $controller_pid"
	[ -s "$ready" ] || return 1
	POSTERN_ADDR=$(json 'j["api"]' "$ready")
	POSTERN_TOKEN_FILE=$(json 'j["token_file"]' "$ready")
	export POSTERN_ADDR POSTERN_TOKEN_FILE
}

# start_node NAME [ARGUMENT...]: in $dir/NAME, which joins when it is new; sets
# mx_pid, node (its TCP address) and health; $dir/NAME.log has its lines
start_node() {
	local name=$1 ready=$dir/$1.json
	shift
	if [ ! -e "$dir/$name/identity.json" ] && [ ! -s "$dir/$name.token" ]; then
		"$postern" node join-token >"$dir/$name.token"
		chmod 600 "$dir/$name.token"
		set -- --join-file "$dir/$name.token" "$@"
	fi
	rm -f "$ready"
	start "$dir/$name.log" "$BUILD/postern-node" --dir "$dir/$name" \
	    --name "$name" --ready-file "$ready" --policy-tcp 127.0.0.1:0 \
	    --policy-unix "$dir/$name.sock" "$@"
	mx_pid=$pid
	until_true 20 eval "[ -s '$ready' ] || has_ended $mx_pid"
	[ -s "$ready" ] || return 1
	node=$(json 'j["policy_tcp"]' "$ready")
	health=$(json 'j["health"]' "$ready")
}

# metric NAME: of the node at $health
metric() {
	curl -fsS "$health/metrics" | sed -n "s/^$1 //p"
}
