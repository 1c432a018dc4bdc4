#!/usr/bin/env bash
# 15_cli_lint.sh - lint, export and simulate: from documents, of the policy in force,
# and on every apply, which refuses what would lose mail.
source "$(dirname "$0")/../lib/system.sh"
acme=deploy/examples/acme.yaml

expect clean_document_is_0 0 "$postern" lint -f "$acme"
same clean_document_says_nothing "$(cat "$dir/out")" ""
cat >"$dir/flawed.yaml" <<'Y'
organization: {internal_domains: [acme.example]}
policies:
  - {id: all, type: blocked_senders, narrative: n, action: block_sender, from: external, to: internal}
Y
expect flaws_are_1 1 "$postern" lint -f "$dir/flawed.yaml"
says flaw_has_its_place out "flawed.yaml:3:5: warning: policy all:"
says flaw_says_what_mends_it out "mend: say source_ips"
expect missing_document_is_3 3 "$postern" lint -f "$dir/none.yaml"

"$postern" export -f "$acme" >"$dir/export.yaml"
"$postern" export -f "$dir/export.yaml" >"$dir/again.yaml"
holds export_reads_back_the_same cmp "$dir/export.yaml" "$dir/again.yaml"

start_dev --policy "$acme"
expect export_of_the_controller_is_0 0 "$postern" export
holds export_is_what_was_applied cmp "$dir/out" "$dir/export.yaml"
expect other_managers_hold_nothing 0 "$postern" export --manager allow,cli
same drift_is_empty "$(cat "$dir/out")" ""
expect group_add 0 "$postern" group add "Permitted Senders" new.example
expect drift_is_exported 0 "$postern" export --manager cli
says drift_is_the_entry out "    - new.example"
expect exported_applies_as_no_change 0 "$postern" diff -f "$acme"

# a draft that drops the disposable domains, over two messages
cat >"$dir/envelopes.ndjson" <<'J'
{"from": "x@10minutemail.com", "to": "al@acme.example"}
{"from": "x@ok.example", "to": ["al@acme.example", "bo@acme.example"]}
J
cp deploy/examples/disposable-domains.txt "$dir"
sed '/^  - id: disposable/,/^$/d' "$acme" >"$dir/draft.yaml"
expect simulate_says_1_when_verdicts_change 1 "$postern" simulate \
    -f "$dir/draft.yaml" --envelopes "$dir/envelopes.ndjson"
says simulate_counts out "1 of 3 verdicts change"
says simulate_names_the_policy out "1  disposable gone"
expect simulate_of_the_same_is_0 0 "$postern" simulate -f "$acme" \
    --envelopes "$dir/envelopes.ndjson"
echo '{"frm": "x@ok.example"}' >>"$dir/envelopes.ndjson"
expect simulate_bad_line_is_2 2 "$postern" simulate -f "$acme" --base \
    "$acme" --envelopes "$dir/envelopes.ndjson"
says simulate_bad_line_has_its_place err 'envelopes.ndjson:3: unknown key'

expect policy_in_force_is_clean 0 "$postern" lint
echo 'groups: {Nobody: []}' >"$dir/nobody.yaml"
expect flawed_apply_is_0 0 "$postern" apply --set other -f "$dir/nobody.yaml"
says flawed_apply_warns err 'nobody.yaml:1:10: warning: group "Nobody"'
expect lint_of_the_controller_is_1 1 "$postern" lint -o json
same finding_of_the_controller \
    "$(json 'j["findings"][0]["code"]' "$dir/out")" unreferenced

# a directory that must be known and is empty would refuse everybody
version=$("$postern" status -o json | json 'j["version"]')
sed 's/^  time_zone:/  recipient_validation: known\n  time_zone:/' "$acme" \
    >"$dir/known.yaml"
cp deploy/examples/disposable-domains.txt "$dir"
expect empty_directory_is_refused 7 "$postern" apply -f "$dir/known.yaml"
says empty_directory_says_why err "all mail to the domain would be refused"
same nothing_was_written "$("$postern" status -o json |
    json 'j["version"]')" "$version"
head -1000 deploy/examples/disposable-domains.txt \
    >"$dir/disposable-domains.txt"
cp "$acme" "$dir/short.yaml"
expect shrunken_list_is_refused 7 "$postern" apply -f "$dir/short.yaml" \
    --prune-limit 10000
says shrunken_list_names_the_flag err "--accept-list-loss"
expect accepted_loss_is_applied 0 "$postern" apply -f "$dir/short.yaml" \
    --prune-limit 10000 --accept-list-loss
