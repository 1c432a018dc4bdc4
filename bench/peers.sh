#!/usr/bin/env bash
# peers.sh - a node beside rspamd and postfwd (packages rspamd and postfwd)
# under the same load, in rotation, without hits, with some and with nothing
# else.
#
# usage: bench/peers.sh DIR SCALE [ARGUMENT of postern-bench compare...]
#
# DIR is a folder of "postern-bench set" at that scale.
#
# rspamd gets the domains that the set's groups hold as one multimap over the
# envelope sender's domain, with the action reject, and no other module.  In
# its favour: it has that one rule, where the node has policies, groups, the
# directory and users' entries; it writes no event, where the node writes one
# and waits for the disk at each refusal; it has two workers, the node decides
# on one thread.  In the node's favour: rspamd is asked over HTTP with a short
# message, on a connection of its own each time, since it closes after each
# answer.  So there are node-each, a node asked on a connection each time, and
# rspamd-2-log, which logs a line for each message.
#
# postfwd tries the domains of its rule one after the other: it has the first
# 100 of them, and lets the other hits pass.
. "$(dirname "$0")/common.sh"
[ "$#" -ge 2 ] || die "usage: bench/peers.sh DIR SCALE [ARGUMENT...]"
set_dir=$1 scale=$2
shift 2

"$bench" document --scale "$scale" --out "$dir/set" || die "no document"
cat "$dir"/set/list-*.txt | grep -v '[@*]' >"$dir/domains.map"
mkdir "$dir/db"
chmod 755 "$dir"
chmod 644 "$dir/domains.map"

# start_rspamd NAME WORKERS LOG_LEVEL: adds it to $targets
start_rspamd() {
	local port
	port=$(free_port)
	cat >"$dir/$1.conf" <<-CF
	options {
		pidfile = "$dir/$1.pid";
		tempdir = "/tmp";
		filters = "";
		dns { timeout = 0.1s; retransmits = 1; nameserver = ["127.0.0.1:1"]; }
	}
	logging { type = "file"; filename = "$dir/db/$1.log"; level = "$3"; }
	worker "normal" { bind_socket = "127.0.0.1:$port"; count = $2; }
	lua = "/usr/share/rspamd/rules/rspamd.lua";
	modules { path = "/usr/share/rspamd/plugins/multimap.lua"; }
	actions { reject = 10; }
	metric { name = "default"; actions { reject = 10; } }
	multimap {
		blocked {
			type = "from";
			filter = "email:domain";
			map = "$dir/domains.map";
			prefilter = true;
			action = "reject";
		}
	}
	CF
	start "$dir/$1.out" rspamd -f -u _rspamd -g _rspamd \
	    -c "$dir/$1.conf" --var=DBDIR="$dir/db" \
	    --var=RUNDIR="$dir/db" --var=LOGDIR="$dir/db"
	# the first one compiles what it calls TLD suffixes, for half a minute
	until_true 180 listens "$port" || die "rspamd does not answer" \
	    "$dir/$1.out" "$dir/db/$1.log"
	targets=$targets,$1=http:127.0.0.1:$port#$pid
	rspamds=${rspamds:+$rspamds,}$1=http:127.0.0.1:$port
}

# the map is read behind the start; an answer that fits shows that it is
loaded() {
	env -u BENCH_SAVE "$bench" compare --scale "$scale" --time 200ms \
	    --rounds 1 --hit 100 --targets "$rspamds" -o json |
	    json 'all(r["unlike"] == 0 for r in
		j["results"]["policy servers"])' | grep -q true
}

start_postfwd() {
	local port
	port=$(free_port)
	{
		printf 'id=BLOCKED'
		head -100 "$dir/domains.map" | sed 's/^/; sender_domain=/' |
		    tr -d '\n'
		echo '; action=550 5.7.1 blocked'
	} >"$dir/postfwd.cf"
	chmod 644 "$dir/postfwd.cf"
	# it goes into the background by itself
	postfwd2 --interface=127.0.0.1 --port="$port" \
	    --file="$dir/postfwd.cf" --user=nobody --group=nogroup --cache=0 \
	    --pidfile="$dir/db/postfwd.pid" --cache_proto=unix \
	    --cache_port="$dir/db/postfwd.cache" -P >"$dir/postfwd.log" 2>&1
	until_true 20 [ -s "$dir/db/postfwd.pid" ] &&
	    started+=("$(cat "$dir/db/postfwd.pid")")
	until_true 20 listens "$port" ||
	    die "postfwd does not answer" "$dir/postfwd.log"
	targets=$targets,postfwd=127.0.0.1:$port#$(cat "$dir/db/postfwd.pid")
}

node_port=$(free_port)
rm -rf "$set_dir/spool"	# the events of a run before
start "$dir/node.log" "$BUILD/postern-node" --dir "$set_dir" \
    --spool-max 4G \
    --policy-tcp "127.0.0.1:$node_port" --ready-file "$dir/node.json"
targets=node=127.0.0.1:$node_port#$pid,node-each=each:127.0.0.1:$node_port#$pid
until_true 30 [ -s "$dir/node.json" ] || die "no node" "$dir/node.log"
if command -v rspamd >/dev/null && chown -R _rspamd "$dir/db"; then
	start_rspamd rspamd-1 1 error
	start_rspamd rspamd-2 2 error
	start_rspamd rspamd-2-log 2 info
	until_true 30 loaded ||
	    echo "# rspamd does not refuse what it should" >&2
else
	missing rspamd "the package rspamd, or its user, is not there"
fi
if command -v postfwd2 >/dev/null; then
	chmod 777 "$dir/db"
	start_postfwd
else
	missing postfwd "the package postfwd is not there"
fi
settled "$dir/node.log"
for hit in 0 10 100; do
	"$bench" compare --scale "$scale" --hit "$hit" --targets "$targets" \
	    "$@" || die "the load" "$dir/node.log" "$dir"/rspamd*.out \
	    "$dir/postfwd.log"
done
