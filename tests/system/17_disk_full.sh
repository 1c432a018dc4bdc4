#!/usr/bin/env bash
# 17_disk_full.sh - a full disk under a node and under the controller: the
# verdicts go on, what is lost is counted, a change is refused with a reason,
# each starts on the full disk, and goes on once there is room.
#
# Each disk is a tmpfs in a mount namespace of this script's own.
if [ "${1:-}" != inside ]; then
	exec unshare -m --propagation private bash "$0" inside
fi
. "$(dirname "$0")/../lib/system.sh"

# disk NAME: $dir/NAME becomes a disk of its own, large enough for all events
# of this test
disk() {
	mkdir "$dir/$1"
	mount -t tmpfs -o size=192m,mode=700 tmpfs "$dir/$1" ||
	    skip "no tmpfs can be mounted here"
}

fill() {
	cat /dev/zero >>"$dir/$1/fill" 2>/dev/null
}

spool_is_empty() {
	[ "$(metric postern_spool_events)" = 0 ]
}

disk controller
disk mx1
start_controller || die "no controller" "$dir/controller.log"
holds policy_is_applied "$postern" apply -f deploy/examples/acme.yaml
start_node mx1 || die "no node" "$dir/mx1.log"
holds node_enforces_it until_true 10 refuses "$node"
holds first_event_arrives until_true 10 at_least 1

# --- the node's disk is full

fill mx1
python3 tests/lib/policy.py load "$node" "$dir/full" 1 4
answered=$(wc -l <"$dir/full")
lost=$(metric postern_events_lost_total)
echo "# $answered refusals on a full disk, $lost of their events lost"
holds verdicts_go_on_on_a_full_disk [ "$answered" -gt 100 ]
holds lost_events_are_counted [ "$lost" -gt 0 ]
holds node_says_so grep -q 'spool.failed' "$dir/mx1.log"
holds what_was_kept_is_sent until_true 10 spool_is_empty
"$postern" group add "Blocked Senders" meanwhile.example
kill -KILL "$mx_pid"
wait "$mx_pid" 2>/dev/null
if start_node mx1; then
	ok node_starts_on_a_full_disk
else
	not_ok node_starts_on_a_full_disk "" "$dir/mx1.log"
	rm -f "$dir/mx1/fill"
	start_node mx1 || die "no node" "$dir/mx1.log"
fi
holds it_answers_on_a_full_disk refuses "$node"
holds it_still_knows_how_many_were_lost \
    [ "$(metric postern_events_lost_total)" -ge "$lost" ]
searched_in_vain() {
	"$postern" message search --from nobody@nowhere.example >"$dir/out"
	grep -q 'events, which are lost' "$dir/out"
}
holds search_that_finds_nothing_says_so until_true 20 searched_in_vain
holds node_ls_says_so [ "$("$postern" node ls -o json |
    json 'j["nodes"][0]["events_lost"]')" -ge "$lost" ]
rm -f "$dir/mx1/fill"
python3 tests/lib/policy.py load "$node" "$dir/room" 1 4
id=$(tail -n 1 "$dir/room")
holds node_stores_events_again until_true 10 "$postern" message show "$id"
holds they_all_arrive until_true 20 spool_is_empty
refuses_meanwhile() {
	policy "$node" client_address=198.51.100.7 sender=x@meanwhile.example \
	    recipient=al@acme.example | grep -q '^550 5\.7\.1 '
}
holds node_takes_the_change_of_meanwhile until_true 40 refuses_meanwhile

# --- the controller's disk is full

before=$("$postern" status -o json | json '(j["version"], j["digest"])')
fill controller
grow() {
	python3 -c 'print("\n".join("x%d.example" % i for i in range(4000)))' |
	    "$postern" group add "Blocked Senders" -
}
grow >"$dir/out" 2>"$dir/err"
same change_on_a_full_disk_is_refused "$?" 1
says refused_change_says_why err 'disk is full'
same nothing_changed "$("$postern" status -o json |
    json '(j["version"], j["digest"])')" "$before"
holds node_answers refuses "$node"
python3 tests/lib/policy.py load "$node" "$dir/waiting" 1 4
n=$(wc -l <"$dir/waiting")
holds node_answers_under_load [ "$n" -gt 100 ]

kill -KILL "$controller_pid"
wait "$controller_pid" 2>/dev/null
if start_controller; then
	ok controller_starts_on_a_full_disk
else
	not_ok controller_starts_on_a_full_disk "" "$dir/controller.log"
	rm -f "$dir/controller/fill"
	start_controller || die "no controller" "$dir/controller.log"
fi
same it_has_its_version "$("$postern" status -o json |
    json '(j["version"], j["digest"])')" "$before"
rm -f "$dir/controller/fill"
holds change_is_taken_once_there_is_room until_true 15 grow
until_true 30 spool_is_empty
id=$(tail -n 1 "$dir/waiting")
holds events_of_meanwhile_arrive until_true 20 "$postern" message show "$id"

# full and room again without a restart, then a restart: no batch that was
# taken may be behind one that was cut
fill controller
grow >"$dir/out" 2>&1
"$postern" group add "Blocked Senders" y1.example >"$dir/out" 2>&1
python3 tests/lib/policy.py load "$node" "$dir/waiting" 1 4
rm -f "$dir/controller/fill"
for i in 1 2 3 4 5; do
	holds "change_${i}_is_taken" until_true 15 "$postern" group add \
	    "Blocked Senders" "z$i.example"
done
until_true 30 spool_is_empty
id=$(tail -n 1 "$dir/waiting")
holds events_arrive_again until_true 20 "$postern" message show "$id"
before=$("$postern" status -o json | json '(j["version"], j["digest"])')
kill -KILL "$controller_pid"
wait "$controller_pid" 2>/dev/null
if start_controller; then
	ok controller_starts_again
else
	not_ok controller_starts_again "" "$dir/controller.log"
fi
same it_has_all_it_took "$("$postern" status -o json |
    json '(j["version"], j["digest"])')" "$before"
holds message_is_still_there "$postern" message show "$id"
