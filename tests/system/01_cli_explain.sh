#!/usr/bin/env bash
# 01_cli_explain.sh - the command line without a controller: exit statuses,
# JSON by the contract, list files, messages with their places.
. "$(dirname "$0")/../lib/system.sh"
acme=deploy/examples/acme.yaml

ask() {
	"$postern" explain -f "$acme" --ip 198.51.100.7 "$@"
}

expect accepted_is_0 0 ask --from x@ok.example --to al@acme.example
expect rejected_is_1 1 ask --from x@bad.example --to al@acme.example
says remedy_is_offered out 'Blocked Senders Exceptions'
expect exception_is_0 0 ask --from billing@bad.example --to al@acme.example
expect users_block_is_1 1 ask --from news@shop.example --to al+x@acme.example
expect two_recipients_take_the_worst 1 ask --from news@shop.example \
    --to bo@acme.example --to al@acme.example
expect no_sender_is_usage 2 ask --to al@acme.example
expect unknown_flag_is_usage 2 ask --colour
expect bad_time_is_usage 2 ask --from a@b.example --to al@acme.example \
    --at yesterday
says bad_time_says_what err '2026-06-15T12:00:00Z'
expect unknown_command_is_usage 2 "$postern" explian
says unknown_command_has_the_nearest err 'did you mean "explain"?'
expect help_is_0 0 "$postern" explain --help
printf 'To: al@acme.example\r\nFrom: "Al" <a@ok.example>,\r\n =?utf-8?q?Bo?= <B@BAD.example>\r\n\r\nFrom: c@bad.example\r\n' >"$dir/m.eml"
expect eml_is_rejected_by_its_second_address 1 ask --from x@ok.example \
    --to al@acme.example --eml "$dir/m.eml"
says eml_shows_who_it_is_from out 'From a@ok.example, b@bad.example (al)'
expect several_header_from_are_read 1 ask --from x@ok.example \
    --to al@acme.example --header-from 'a@ok.example, "B" <b@bad.example>' \
    --header-name ' BO ' -o json
says several_header_from_are_in_json out '"b@bad.example"'
says header_name_is_canonical out '"name": "bo"'
expect header_of_two_readings_is_read 1 ask --from x@ok.example \
    --to al@acme.example --header-from 'a@ok.example b@bad.example'
says header_of_two_readings_says_so out 'malformed: it may be blocked'
expect eml_and_header_from_is_usage 2 ask --from x@ok.example \
    --to al@acme.example --eml "$dir/m.eml" --header-from a@ok.example
expect no_eml_is_usage 2 ask --from x@ok.example --to al@acme.example \
    --eml "$dir/none.eml"
expect missing_file_is_3 3 "$postern" check "$dir/none.yaml"

expect json_is_1 1 ask --from x@bad.example --to al@acme.example -o json
if python3 - "$dir/out" <<'PY'
import json
import sys
a = json.load(open(sys.argv[1]))
assert a["verdict"] == "reject" and a["reason"] == "blocked_envelope", a
assert a["policy"] == "blocked-senders" and a["level"] == "policy", a
assert a["reply"]["code"] == 550 and a["reply"]["enhanced"] == "5.7.1", a
assert a["reply"]["text"].endswith("[id]"), a
assert a["type"] == "Envelope Rejected", a
assert a["info"] == "Policy level block list in force", a
assert a["bypass"] == {"granted_by": "none", "checks": []}, a
s = a["stages"][0]
assert s["stage"] == "blocked_senders", s
assert s["winner"] == "blocked-senders", s
assert s["candidates"][0]["key"] == [0, 50, 20, 2, 0, -1, 1], s
assert a["remedies"][0]["flips"] is True, a
PY
then
	ok json_is_by_the_contract
else
	not_ok json_is_by_the_contract "see above"
fi

# a list file beside the document that names it, and a folder of documents
mkdir "$dir/d"
printf 'bad.example\r\n# comment\n*.bulk.example\n' >"$dir/d/list.txt"
cat >"$dir/d/b.yaml" <<'Y'
groups:
  Bad: [{file: list.txt}]
policies:
  - {id: b, type: blocked_senders, narrative: n, action: block_sender, from: {group: Bad}, to: internal}
Y
echo 'organization: {internal_domains: [acme.example]}' >"$dir/d/a.yaml"
expect folder_and_list_are_read 1 "$postern" explain -f "$dir/d" \
    --from x@m.bulk.example --to al@acme.example --ip 198.51.100.7
says entry_is_named out 'entry    *.bulk.example'
echo 'not a domain' >>"$dir/d/list.txt"
expect bad_list_is_7 7 "$postern" check "$dir/d"
says bad_list_has_its_line err 'list.txt:4:1:'
printf 'groups:\n  g:\n    - *.x\n' >"$dir/star.yaml"
expect unquoted_star_is_7 7 "$postern" check "$dir/star.yaml"
says unquoted_star_has_its_place err 'star.yaml:3:'
says unquoted_star_says_what_to_do err 'put it in quotes'
head -c 50000000 /dev/zero | tr '\0' 'a' >"$dir/large.yaml"
expect fifty_megabytes_is_7 7 "$postern" check "$dir/large.yaml"

# the real list of disposable domains loads and answers
if [ -f deploy/examples/disposable-domains.txt ]; then
	cp deploy/examples/disposable-domains.txt "$dir/disposable.txt"
	cat >"$dir/disposable.yaml" <<'Y'
organization: {internal_domains: [acme.example]}
groups: {Disposable: [{file: disposable.txt}]}
policies:
  - {id: d, type: blocked_senders, narrative: n, action: block_sender, from: {group: Disposable}, to: internal}
Y
	expect disposable_is_refused 1 "$postern" explain \
	    -f "$dir/disposable.yaml" --from x@10minutemail.com \
	    --to al@acme.example --ip 198.51.100.7
fi
