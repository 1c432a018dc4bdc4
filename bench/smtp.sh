#!/usr/bin/env bash
# smtp.sh - recipients a second through a real Postfix of our own: with a node,
# with the null server, with Postfix's own lmdb map of a million entries, and
# with nothing; then with the node's milter, with a milter by libmilter that
# does nothing, and with none.
#
# usage: bench/smtp.sh DIR SCALE [ARGUMENT of postern-bench smtp...]
#
# DIR is a folder of "postern-bench set" at that scale.  Each way is an smtpd of
# the same Postfix on a port of its own.  With a policy server all recipients
# are refused at the end, so that nothing is queued.  With milters they are
# accepted, and the transaction is reset, or a message of 2 KB is sent, which
# Postfix queues and discards; libmilter does what a node does about headers.
. "$(dirname "$0")/common.sh"
[ "$#" -ge 2 ] || die "usage: bench/smtp.sh DIR SCALE [ARGUMENT...]"
set_dir=$1 scale=$2
shift 2

# smtpd NAME RESTRICTIONS [OPTION...]: adds a service; sets port_NAME
smtpd() {
	local port
	port=$(free_port)
	declare -g "port_$1=$port"
	postfix_services="${postfix_services:-}
127.0.0.1:$port inet n - n - - smtpd -o { smtpd_recipient_restrictions = $2 }$(printf ' -o { %s }' "${@:3}" \
	    smtpd_relay_restrictions=permit smtpd_error_sleep_time=0 \
	    smtpd_soft_error_limit=1000000 smtpd_hard_error_limit=1000000 \
	    smtpd_junk_command_limit=1000000 \
	    smtpd_client_connection_count_limit=0)"
}

start "$dir/null.log" "$bench" null --listen "unix:$dir/null"
null_pid=$pid
rm -rf "$set_dir/spool"	# the events of a run before
start "$dir/node.log" "$BUILD/postern-node" --dir "$set_dir" \
    --spool-max 4G \
    --policy-tcp "" --policy-unix "$dir/node" --milter-unix "$dir/milter" \
    --ready-file "$dir/node.json"
node_pid=$pid
until_true 30 eval "[ -s '$dir/node.json' ] || has_ended $node_pid"
[ -s "$dir/node.json" ] || die "no node" "$dir/node.log"
until_true 10 [ -S "$dir/null" ] || die "no null server" "$dir/null.log"
libmilter=
if [ -x "$BUILD/bench-libmilter" ]; then
	start "$dir/libmilter.log" "$BUILD/bench-libmilter" \
	    -l "unix:$dir/libmilter"
	libmilter_pid=$pid
	until_true 10 [ -S "$dir/libmilter" ] ||
	    die "no libmilter" "$dir/libmilter.log"
else
	missing libmilter "the package libmilter-dev is not there"
fi
chmod 666 "$dir/null" "$dir"/*milter

smtpd nothing reject
smtpd null "check_policy_service unix:$dir/null, reject"
smtpd node "check_policy_service unix:$dir/node, reject"
smtpd lmdb "check_sender_access lmdb:$dir/million, reject"
smtpd open reject_unauth_destination
smtpd milter reject_unauth_destination "smtpd_milters=unix:$dir/milter"
smtpd libmilter reject_unauth_destination "smtpd_milters=unix:$dir/libmilter"
start_postfix "in_flow_delay = 0"
settled "$dir/node.log"
lmdb=
if postconf -c "$postfix_dir/etc" -m | grep -qx lmdb; then
	seq -f 'x%07.0f.example REJECT' 1000000 >"$dir/million"
	postmap -c "$postfix_dir/etc" "lmdb:$dir/million" ||
	    die "postmap fails"
	chmod 644 "$dir/million.lmdb"
	lmdb=,lmdb=127.0.0.1:$port_lmdb
else
	missing lmdb "the package postfix-lmdb is not there"
fi

server=$(tr -d ' ' <"$postfix_dir/queue/pid/master.pid")

# load TARGETS ARGUMENT...
load() {
	"$bench" smtp --scale "$scale" --server "$server" --targets "$@" ||
	    die "the load" "$mail_log"
}

servers="null=127.0.0.1:$port_null#$null_pid,node=127.0.0.1:$port_node#$node_pid$lmdb,nothing=127.0.0.1:$port_nothing"
load "$servers" "$@"
load "$servers" --recipients 10 "$@"
[ -z "${libmilter_pid:-}" ] ||
    libmilter=libmilter=127.0.0.1:$port_libmilter#$libmilter_pid,
milters=${libmilter}milter=127.0.0.1:$port_milter#$node_pid,none=127.0.0.1:$port_open
load "$milters" "$@"
load "$milters" --bytes 2000 "$@"
