#!/usr/bin/env bash
# peers.sh - a node beside rspamd (package rspamd) under the same load, in
# rotation.
#
# usage: bench/peers.sh DIR SCALE [ARGUMENT of postern-bench compare...]
#
# DIR is a folder of "postern-bench set" at that scale.  rspamd gets the domains
# that the set's groups hold as one multimap over the envelope sender's domain,
# with the action reject, and no other module.  What is not comparable: it is
# asked over HTTP with a short message, on a connection of its own each time,
# since that is how it is asked; it has that one rule, where the node has
# policies, groups, the directory and users' entries; and it writes no event.
. "$(dirname "$0")/../tests/lib/system.sh"
bench=$BUILD/postern-bench
[ "$#" -ge 2 ] || die "usage: bench/peers.sh DIR SCALE [ARGUMENT...]"
set_dir=$1 scale=$2
shift 2
command -v rspamd >/dev/null || skip "the package rspamd is not there"

"$bench" document --scale "$scale" --out "$dir/set" || die "no document"
cat "$dir"/set/list-*.txt | grep -v '[@*]' >"$dir/domains.map"
mkdir "$dir/db"
chmod 755 "$dir"
chown -R _rspamd "$dir/db" 2>/dev/null || die "no user _rspamd"
chmod 644 "$dir/domains.map"

# start_rspamd WORKERS: sets pid and port
start_rspamd() {
	port=$(free_port)
	cat >"$dir/rspamd-$1.conf" <<-CF
	options {
		pidfile = "$dir/rspamd-$1.pid";
		tempdir = "/tmp";
		filters = "";
		dns { timeout = 0.1s; retransmits = 1; nameserver = ["127.0.0.1:1"]; }
	}
	logging { type = "file"; filename = "$dir/db/rspamd-$1.log"; level = "error"; }
	worker "normal" { bind_socket = "127.0.0.1:$port"; count = $1; }
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
	start "$dir/rspamd-$1.out" rspamd -f -u _rspamd -g _rspamd \
	    -c "$dir/rspamd-$1.conf" --var=DBDIR="$dir/db" \
	    --var=RUNDIR="$dir/db" --var=LOGDIR="$dir/db"
	until_true 20 listens "$port" || die "rspamd does not answer" \
	    "$dir/rspamd-$1.out" "$dir/db/rspamd-$1.log"
}

start_rspamd 1
one=http:127.0.0.1:$port#$pid
start_rspamd 2
two=http:127.0.0.1:$port#$pid
node_port=$(free_port)
start "$dir/node.log" "$BUILD/postern-node" --dir "$set_dir" \
    --policy-tcp "127.0.0.1:$node_port" --ready-file "$dir/node.json"
node=127.0.0.1:$node_port#$pid
until_true 30 [ -s "$dir/node.json" ] || die "no node" "$dir/node.log"
# the map is read behind the start; an answer that fits shows that it is
loaded() {
	"$bench" compare --scale "$scale" --time 200ms --rounds 1 --hit 100 \
	    --targets "a=$one,b=$two" -o json |
	    json 'all(r["unlike"] == 0 for r in
		j["results"]["policy servers"])' | grep -q true
}
until_true 30 loaded || echo "# rspamd does not refuse what it should" >&2
"$bench" compare --scale "$scale" --hit 10 \
    --targets "node=$node,rspamd-1=$one,rspamd-2=$two" "$@" ||
    die "the load" "$dir/node.log" "$dir/rspamd-1.out" "$dir/rspamd-2.out"
