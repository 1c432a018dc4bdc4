#!/usr/bin/env bash
# 42_releases.sh - today's programs on what each release left on disks: the
# node decides as that release did, its events arrive, controller and backup
# open, and all go on from there.
. "$(dirname "$0")/../lib/system.sh"
kept=tests/fixtures/releases

# want FIELD: of the release at hand
want() {
	json "j['$1']" "$release/want.json"
}

# copy NAME FOLDER: for its owner alone, as git does not keep that
copy() {
	cp -r "$release/$1" "$dir/$2"
	chmod -R go= "$dir/$2"
}

# the node's controller is at other ports than then
point_node() {
	set -- $controller_ports
	python3 - "$dir/mx1/identity.json" "$2" "$3" <<'PY'
import json
import sys
path, control, events = sys.argv[1:]
j = json.load(open(path))
j["control"] = "tcp://127.0.0.1:" + control
j["events"] = "tcp://127.0.0.1:" + events
json.dump(j, open(path, "w"))
PY
}

agrees() {
	[ "$("$postern" node ls -o json | json "[(n['version'], n['digest'],
	    n['converged']) for n in j['nodes']] == [($1, '$2', True)]")" = \
	    true ]
}

all_arrived() {
	[ "$(messages)" = $(($(want messages) + $(want spool))) ]
}

check_release() {
	local name=r_${release##*/} version digest
	name=${name//./_}
	version=$(want version) digest=$(want digest)
	rm -rf "$dir/controller" "$dir/mx1" "$dir/saved"
	copy node mx1
	copy controller controller
	copy backup saved
	controller_ports=$(for _ in 1 2 3 4; do free_port; done)
	point_node

	# the node alone: its set, its spool, its answers
	start_node mx1 || die "the node does not start" "$dir/mx1.log"
	same "${name}_node_enforces_what_it_did" \
	    "$(metric postern_policy_version)" "$version"
	# what was acknowledged may be sent again: it is stored once
	holds "${name}_spool_is_whole" [ "$(metric postern_spool_events)" \
	    -ge "$(want spool)" ]
	holds "${name}_set_is_proved" until_true 10 eval \
	    '[ "$(metric postern_digest_proved)" = 1 ]'
	says_no_damage "${name}_nothing_is_damaged" "$dir/mx1.log"

	# its controller: the two agree, and what waited arrives; events may
	# be older than they are kept for
	start_controller --message-days 0 || die "the controller does not \
start" "$dir/controller.log"
	same "${name}_store_is_of_that_version" "$("$postern" status -o json |
	    json 'j["version"], j["digest"]')" "[$version, \"$digest\"]"
	holds "${name}_node_and_controller_agree" until_true 20 agrees \
	    "$version" "$digest"
	holds "${name}_events_arrive" until_true 10 all_arrived
	grep -v '^#' "$kept/questions.txt" | ask_all >"$dir/answers.txt"
	holds "${name}_answers_are_the_same" diff -u "$release/answers.txt" \
	    "$dir/answers.txt"
	holds "${name}_revisions_are_there" "$postern" revision show \
	    "$((version - 1))"
	holds "${name}_audit_log_is_whole" "$postern" audit verify
	holds "${name}_it_goes_on" "$postern" group add "Blocked Senders" \
	    today.example --wait=20s
	same "${name}_today_is_enforced" "$(echo 198.51.100.7 x@today.example \
	    bo@acme.example | ask_all | cut -c1-3)" 550
	stop "$controller_pid"

	# its backup
	rm -rf "$dir/controller"
	holds "${name}_backup_is_put_back" "$postern" restore "$dir/saved" \
	    --dir "$dir/controller"
	start_controller --message-days 0 ||
	    die "the restored controller does not start" "$dir/controller.log"
	same "${name}_backup_is_of_that_version" "$("$postern" status \
	    -o json | json 'j["version"], j["digest"]')" \
	    "[$version, \"$digest\"]"
	holds "${name}_restored_one_hears_its_node" until_true 20 eval \
	    '[ "$("$postern" status -o json | json "j.get(\"highest\", 0)")" \
	    -gt '"$version"' ]'
	holds "${name}_restored_one_goes_on" "$postern" adopt --yes --wait=20s
	holds "${name}_audit_log_goes_on" "$postern" audit verify
	stop "$controller_pid"
	stop "$mx_pid"
}

says_no_damage() {
	if grep -qE ' (ruleset|spool|store)\.(damaged|lost|rewound)' "$2"
	then
		not_ok "$1" "the node found damage" "$2"
	else
		ok "$1"
	fi
}

for release in "$kept"/[0-9]*; do
	release=$PWD/$release
	check_release
done
