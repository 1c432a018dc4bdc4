#!/usr/bin/env bash
# 13_kill.sh - controller and node are killed outright: nodes go on answering,
# and no event is lost whose verdict a mail server has got.
#
# That last part has a twin, in which the node's writes come later than the
# answers: its loss must be found, or the part could not fail.  What kill
# cannot show, that the disk has the event before the answer goes, is read
# from a trace of the system calls.
. "$(dirname "$0")/../lib/system.sh"

start_controller || die "no controller" "$dir/controller.log"
holds policy_is_applied "$postern" apply -f deploy/examples/acme.yaml
start_node mx1 || die "no node" "$dir/mx1.log"
holds node_enforces_it until_true 10 refuses "$node"

# kill_node NAME: outright, and start it again
kill_node() {
	kill -KILL "$mx_pid"
	wait "$mx_pid" 2>/dev/null
	start_node "$1" || die "$1 does not start again" "$dir/$1.log"
}

# --- the disk before the answer

strace -f -qq -p "$mx_pid" -s 16 -o "$dir/trace" \
    -e trace=pwrite64,fdatasync,write,sendto,sendmsg 2>"$dir/strace.log" &
tracer=$!
started+=("$tracer")
# every thread of the node is traced by $tracer
attached() {
	! grep -L "^TracerPid:[[:space:]]*$tracer\$" \
	    "/proc/$mx_pid"/task/*/status | grep -q .
}
until_true 10 attached || die "no tracer" "$dir/strace.log"
refused_and_traced() {
	refuses "$node" && grep -q '"action=550' "$dir/trace"
}
holds a_refusal_is_traced until_true 10 refused_and_traced
stop "$tracer" INT
# every answer with a refusal has a write and a finished sync behind the one
# before; calls of two threads may be cut in two lines
holds event_is_synced_before_its_answer python3 - "$dir/trace" <<'PY'
import re
import sys
state, answers = "none", 0
for line in open(sys.argv[1], errors="replace"):
    if "pwrite64(" in line:
        state = "written"
    elif re.search(r"fdatasync.* = 0$", line) and state == "written":
        state = "synced"
    elif '"action=550' in line:
        assert state == "synced", "%s: %s" % (state, line)
        state, answers = "none", answers + 1
assert answers > 0, "no answer seen"
PY

# --- the controller away

version=$("$postern" status -o json | json 'j["version"]')
kill -KILL "$controller_pid"
wait "$controller_pid" 2>/dev/null
expect controller_is_gone 5 "$postern" status
holds node_answers_without_it refuses "$node"
kill_node mx1
holds node_started_without_it_answers refuses "$node"
python3 tests/lib/policy.py load "$node" "$dir/away" 1 4
n=$(wc -l <"$dir/away")
holds refusals_were_answered_meanwhile [ "$n" -gt 0 ]
holds their_events_wait [ "$(metric postern_spool_events)" -ge "$n" ]
start_controller || die "no controller" "$dir/controller.log"
same version_is_the_same "$("$postern" status -o json | json 'j["version"]')" \
    "$version"

# the ids of all messages from u...@bad.example, one a line
all_ids() {
	local next=
	while :; do
		"$postern" message search --limit 1000 -o json \
		    ${next:+--before "$next"} >"$dir/page" || break
		json '"\n".join(m["id"] for m in j["messages"]
if m["from"].startswith("u"))' "$dir/page"
		next=$(json 'j.get("next", "")' "$dir/page")
		[ -n "$next" ] || break
	done
}

spool_is_empty() {
	[ "$(metric postern_spool_events)" = 0 ]
}

# lost FILE: ids of the file that the message center does not have; those it
# has twice stand in $dir/twice
lost() {
	all_ids | sed '/^$/d' | sort >"$dir/stored"
	uniq -d "$dir/stored" >"$dir/twice"
	sort "$1" | comm -23 - "$dir/stored"
}

holds all_events_arrive until_true 20 spool_is_empty
same none_is_lost "$(lost "$dir/away" | wc -l)" 0
same none_is_there_twice "$(wc -l <"$dir/twice")" 0

# --- a node under load, three times

for round in 1 2 3; do
	python3 tests/lib/policy.py load "$node" "$dir/load.$round" 20 8 &
	load=$!
	started+=("$load")
	has_some() {
		[ "$(wc -l <"$dir/load.$round")" -gt 500 ]
	}
	until_true 20 has_some
	kill_node mx1
	wait "$load"
done
cat "$dir"/load.? >"$dir/answered"
echo "# $(wc -l <"$dir/answered") refusals were answered before the kills"
holds load_was_real [ "$(wc -l <"$dir/answered")" -gt 1500 ]
holds spool_is_delivered until_true 30 spool_is_empty
same no_answered_event_is_lost "$(lost "$dir/answered" | wc -l)" 0
same no_event_is_there_twice "$(wc -l <"$dir/twice")" 0

# --- the twin: the writes come late, the answers do not wait for them longer
# --- than 250 ms, and the kill loses what had been answered

strace -f -qq -p "$mx_pid" -o /dev/null -e trace=pwrite64 \
    -e inject=pwrite64:delay_enter=8000000 2>"$dir/strace.log" &
tracer=$!
started+=("$tracer")
until_true 10 attached || die "no tracer" "$dir/strace.log"
python3 tests/lib/policy.py load "$node" "$dir/twin" 2 4
late=$(metric postern_late_events_total)
kill_node mx1
wait "$tracer" 2>/dev/null
holds twin_answered [ "$(wc -l <"$dir/twin")" -gt 0 ]
holds twin_was_counted_outside_the_promise [ "$late" -gt 0 ]
holds twin_spool_is_delivered until_true 30 spool_is_empty
holds twin_loss_is_found [ "$(lost "$dir/twin" | wc -l)" -gt 0 ]
