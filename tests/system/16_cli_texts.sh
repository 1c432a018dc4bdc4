#!/usr/bin/env bash
# 16_cli_texts.sh - schema, snippets, completion; what doctor finds well and
# what it finds wrong.
source "$(dirname "$0")/../lib/system.sh"

# --- schema and snippets
expect schema_is_0 0 "$postern" schema
same schema_is_json "$(json 'j["type"]' "$dir/out")" object
expect snippet_is_0 0 "$postern" snippet postfix
same snippet_is_the_file "$(cmp "$dir/out" deploy/postfix/main.cf && echo y)" y
expect snippet_of_a_socket 0 "$postern" snippet postfix --policy unix:/run/p.sock
says snippet_has_the_socket out "{ unix:/run/p.sock,"
expect snippet_of_a_milter 0 "$postern" snippet milter --milter 127.0.0.1:99
says snippet_has_the_milter out "smtpd_milters = inet:127.0.0.1:99"
expect snippet_for_exim 0 "$postern" snippet exim --policy 127.0.0.1:98
says snippet_has_the_port out "readsocket{inet:127.0.0.1:98}"
expect snippet_for_another_is_2 2 "$postern" snippet sendmail
expect snippet_of_settings_is_2 2 "$postern" snippet postfix \
    --policy "127.0.0.1:1, x { y }"

# --- completion, as a shell calls it
# complete WORD...: what is offered for the last word
complete_words() {
	bash -c 'source <("$1" completion bash); shift
	    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)); _postern
	    printf "%s\n" "${COMPREPLY[@]}"' - "$postern" "$@"
}
same completion_of_a_command "$(complete_words "$postern" sim)" simulate
same completion_of_a_verb "$(complete_words "$postern" group imp)" import
same completion_of_a_flag "$(complete_words "$postern" apply --prune)" \
    --prune-limit
same completion_of_a_snippet "$(complete_words "$postern" snippet ex)" exim
expect completion_for_zsh 0 "$postern" completion zsh
expect completion_for_fish_is_2 2 "$postern" completion fish

# --- doctor
export POSTERN_ADDR=http://127.0.0.1:1
expect doctor_without_a_controller_is_5 5 "$postern" doctor
unset POSTERN_ADDR
cat >"$dir/small.yaml" <<'Y'
organization:
  internal_domains: [acme.example]
  header_stage: "yes"
policies:
  - {id: spoof, type: anti_spoofing, narrative: Ours, action: apply, addresses_based_on: both, from: internal, to: internal}
Y
start_dev --nodes 2 --policy "$dir/small.yaml"
expect doctor_is_0_when_all_is_well 0 "$postern" doctor
says doctor_looked_at_nodes out "all 2 enforce version"
says doctor_looked_at_the_clock out "ok     clock"
kill -STOP "${node_pid[1]}"
expect a_change_that_one_does_not_hear 0 "$postern" init
one_took_it() {
	[ "$("$postern" status -o json | json 'j["nodes"]["converged"]')" = 1 ]
}
until_true 10 one_took_it
expect doctor_is_1_when_something_is_wrong 1 "$postern" doctor -o json
cp "$dir/out" "$dir/doctor"
kill -CONT "${node_pid[1]}"
same doctor_finds_the_node_that_lags "$(json '[c["check"] for c in
    j["checks"] if "on version 1 of 2" in c["detail"]]' "$dir/doctor")" \
    "[\"${node_id[1]}\"]"
same doctor_says_a_remedy "$(json 'all(c["remedy"] for c in j["checks"]
    if c["result"] != "ok")' "$dir/doctor")" true
