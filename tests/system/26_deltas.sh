#!/usr/bin/env bash
# 26_deltas.sh - a change of one thing reaches three nodes as one small delta,
# whatever the size of the set; a stream of changes, with a node away for a
# while, ends on one version and digest everywhere.
. "$(dirname "$0")/../lib/system.sh"

entries=200000
changes=120

nodes() {
	"$postern" node ls -o json >"$dir/nodes.json"
}

# all_at VERSION: each of the three enforces it, with the head's digest
all_at() {
	nodes
	[ "$(json "sum(n['converged'] and n['version'] == $1
	    and n['digest'] == j['head']['digest'] for n in j['nodes'])" \
	    "$dir/nodes.json")" = 3 ]
}

version() {
	"$postern" status -o json | json 'j["version"]'
}

# sent FIELD: summed over the nodes
sent() {
	nodes
	json "sum(n['sent']['$1'] for n in j['nodes'])" "$dir/nodes.json"
}

start_controller || die "no controller" "$dir/controller.log"
for i in 1 2 3; do
	start_node "mx$i" || die "no node" "$dir/mx$i.log"
	mx[i]=$mx_pid
done

cat >"$dir/policy.yaml" <<'YAML'
organization: {internal_domains: [acme.example]}
groups:
  Blocked Senders: [{file: blocked.txt}, first.example]
policies:
  - {id: bulk, type: blocked_senders, narrative: Bulk, action: block_sender,
     from: {group: Blocked Senders}, to: internal}
YAML
seq -f 's%06g.bulk.example' "$entries" >"$dir/blocked.txt"
expect large_set_is_applied 0 "$postern" apply -f "$dir/policy.yaml"
v=$(version)
holds large_set_reaches_three_nodes until_true 60 all_at "$v"

# one entry: what is sent, and how long it takes
chunks=$(sent chunks) deltas=$(sent deltas) bytes=$(sent delta_bytes)
began=$(now_ms)
expect one_entry_is_added 0 "$postern" group add "Blocked Senders" \
    one.example
v=$(version)
holds one_entry_reaches_three_nodes until_true 10 all_at "$v"
echo "one entry of $entries: $(($(now_ms) - began)) ms by the command line," \
    "lag $(json "max(n['lag_ms'] for n in j['nodes'])" "$dir/nodes.json") ms"
deltas=$(($(sent deltas) - deltas))
# a node that is slow to say that it has it may get it twice
holds one_entry_is_one_delta_a_node [ "$deltas" -ge 3 -a "$deltas" -le 6 ]
same one_entry_costs_no_chunk "$(sent chunks)" "$chunks"
bytes=$((($(sent delta_bytes) - bytes) / deltas))
holds one_entry_is_at_most_300_bytes test "$bytes" -le 300
same one_entry_is_decided_by "$(policy "$node" client_address=198.51.100.7 \
    sender=x@one.example recipient=al@acme.example | cut -c1-9)" "550 5.7.1"

# a stream; one node is away for the middle of it
for ((i = 1; i <= changes; i++)); do
	[ "$i" != $((changes / 3)) ] || stop "${mx[2]}" KILL
	[ "$i" != $((changes * 2 / 3)) ] || start_node mx2 ||
	    die "mx2 does not come back" "$dir/mx2.log"
	"$postern" group add "Blocked Senders" "n$i.example" ||
	    die "change $i failed"
	[ $((i % 5)) != 0 ] || "$postern" group rm "Blocked Senders" --yes \
	    "n$((i - 2)).example" || die "change $i failed"
done
v=$(version)
holds stream_ends_on_one_version_everywhere until_true 30 all_at "$v"
same stream_costs_no_chunk "$(sent chunks)" "$chunks"

# the controller too may go away
stop "$controller_pid" KILL
start_controller || die "no controller again" "$dir/controller.log"
expect change_after_a_start 0 "$postern" group add "Blocked Senders" \
    last.example
v=$(version)
holds change_after_a_start_reaches_three_nodes until_true 30 all_at "$v"
same change_after_a_start_costs_no_chunk "$(sent chunks)" 0
