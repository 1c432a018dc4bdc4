#!/usr/bin/env bash
# 16_cli_edit.sh - groups, users' lists and revisions by the command line:
# exit statuses, who holds what, entries that end, undo and rollback.
source "$(dirname "$0")/../lib/system.sh"
acme=deploy/examples/acme.yaml
group="Blocked Senders"
version() {
	"$postern" status -o json | json 'j["version"]'
}
gone() {
	! "$postern" group where "$1"
}

# on_terminal ANSWER COMMAND...: with a terminal, where a question gets the
# answer; what was shown is kept in $dir/out, the status is the command's
on_terminal() {
	TERM=xterm python3 - "$dir/out" "$@" <<-'PY'
	import os, pty, sys
	shown, asked = b"", False
	pid, fd = pty.fork()
	if pid == 0:
	    os.execvp(sys.argv[3], sys.argv[3:])
	while True:
	    try:
	        more = os.read(fd, 4096)
	    except OSError:
	        break
	    if not more:
	        break
	    shown += more
	    if b"[y/N]" in shown and not asked:
	        asked = True
	        os.write(fd, sys.argv[2].encode() + b"\n")
	with open(sys.argv[1], "wb") as f:
	    f.write(shown)
	sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
	PY
}

start_dev --nodes 2 --policy "$acme"

# --- status and waiting
expect status_is_0 0 "$postern" status -o json
same status_counts_nodes "$(json 'j["nodes"]["converged"]' "$dir/out")" 2
same status_names_nobody_stale "$(json 'j["stale"]' "$dir/out")" "[]"
expect init_dry_run_of_what_is_there 0 "$postern" init --dry-run
kill -STOP "${node_pid[1]}"
expect wait_in_vain_is_8 8 "$postern" group add "$group" wait.example \
    --wait=1s
says wait_names_the_node err "${node_id[1]} does not enforce version 2"
expect status_of_a_stale_node_is_8 8 "$postern" status
says status_names_the_stale_node out "${node_id[1]}"
# the other node takes it meanwhile, on a busy machine later
for s in 2 10 50; do
	on_terminal n "$postern" group add "$group" "wait$s.example" \
	    --wait="${s}s"
	same "wait_of_${s}_s_on_a_terminal_is_8" "$?" 8
	! grep -qF "] 1 of 2 nodes" "$dir/out" || break
done
says wait_has_a_bar out "[############............] 1 of 2 nodes enforce"
kill -CONT "${node_pid[1]}"
expect wait_for_all_is_0 0 "$postern" group rm "$group" wait.example --wait

# --- groups
expect add_dry_run_is_1 1 "$postern" group add "$group" a.example --dry-run
says dry_run_counts out "1 would be added"
expect dry_run_changed_nothing 1 "$postern" group where a.example
printf '# list\na.example\nb.example # why\n\nc@d.example\n' >"$dir/list"
"$postern" group add "$group" - --comment "ticket 1" <"$dir/list"
same add_from_stdin "$("$postern" group show "$group" -o csv |
    grep -c 'ticket 1')" 3
expect added_again_is_0 0 "$postern" group add "$group" a.example
expect bad_entry_is_7 7 "$postern" group add "$group" good.example @x.example
says bad_entry_says_how err "write the domain without @"
expect bad_entry_wrote_nothing 1 "$postern" group where good.example
expect unknown_group_is_3 3 "$postern" group show Nope
expect unknown_verb_is_2 2 "$postern" group shwo
says unknown_verb_gets_the_nearest err 'did you mean "show"'
expect wrong_revision_is_4 4 "$postern" group add "$group" x.example \
    --if-revision 1
expect right_revision_is_0 0 "$postern" group add "$group" x.example \
    --if-revision "$(version)" --message "why not"
says message_is_kept <("$postern" revision ls) "why not"
expect held_by_a_file_is_4 4 "$postern" group rm "$group" bad.example
says holder_is_named err "held by file:default"
expect taken_over_is_0 0 "$postern" group rm "$group" bad.example --take-over
expect apply_puts_it_back 0 "$postern" apply -f "$acme" --wait
expect where_finds_the_wildcard 0 "$postern" group where al@mx.bulk.example
says where_names_policy_and_cover out '*.bulk.example  Blocked Senders'
says where_names_the_policy out 'blocked-senders'

# seen before its end, which comes too soon on a busy machine
for s in 1 5 20; do
	"$postern" group add "$group" short.example --for "${s}s" --wait
	"$postern" explain --from x@short.example --to al@acme.example \
	    >"$dir/out" 2>&1
	blocks=$?
	[ "$blocks" != 1 ] || break
	until_true 10 gone short.example
done
same entry_with_an_end_blocks "$blocks" 1
until_true 10 gone short.example
expect entry_with_an_end_ends 0 "$postern" explain \
    --from x@short.example --to al@acme.example
says expiry_is_a_revision <("$postern" revision ls) expiry

# --- imports
expect import_of_free_mail_is_4 4 "$postern" group import Feed - --create \
    </dev/null
says import_names_the_flag err "--accept empty"
seq -f 'd%g.example' 1 30000 >"$dir/big"
expect big_import_is_0 0 "$postern" group import Feed "$dir/big" --create
same big_import_is_one_revision "$("$postern" group export Feed | wc -l)" \
    30000
seq -f 'd%g.example' 1 20000 >"$dir/short"
expect shrunk_import_is_4 4 "$postern" group import Feed "$dir/short" \
    --replace --yes
expect replace_off_a_terminal_asks 2 "$postern" group import Feed \
    "$dir/short" --replace --accept shrink
expect replace_accepted_is_0 0 "$postern" group import Feed "$dir/short" \
    --replace --accept shrink --yes
same replaced "$("$postern" group export Feed | wc -l)" 20000
expect group_rm_off_a_terminal_asks 2 "$postern" group rm Feed
on_terminal n "$postern" group rm Feed
same declined_is_2 "$?" 2
says declined_says_so out "nothing was changed"
on_terminal y "$postern" group rm Feed
same group_rm_on_a_terminal_is_0 "$?" 0
expect group_is_gone_3 3 "$postern" group show Feed
expect group_in_use_is_4 4 "$postern" group rm "$group" --yes
says group_in_use_names_the_policy err "policy blocked-senders names"

# --- users' lists
expect block_of_free_mail_is_1 1 "$postern" sender block \
    --user al@acme.example gmail.com ok@x.example
says left_out_is_named err "gmail.com was left out"
expect listed_is_0 0 "$postern" sender ls --user al@acme.example
says listed out ok@x.example
expect nobodys_list_is_1 1 "$postern" sender ls --user no@acme.example
cat >"$dir/s.csv" <<'C'
user,action,entry
al@acme.example,permit,p1.example
"bo@acme.example",block,"x@p2.example"
C
expect import_dry_run_is_1 1 "$postern" sender import "$dir/s.csv" --dry-run
expect import_is_0 0 "$postern" sender import "$dir/s.csv" -o json
batch=$(json 'j["batch"]' "$dir/out")
says exported <("$postern" sender export) 'bo@acme.example,block,x@p2.example'
expect undo_is_0 0 "$postern" sender undo "$batch"
expect undone 1 "$postern" sender ls --user bo@acme.example
expect undo_twice_is_4 4 "$postern" sender undo "$batch"
expect undo_of_nothing_is_3 3 "$postern" sender undo 99999

# more rows than one request holds go in two, and come out in two
long=$(printf 'x%.0s' {1..60})
long="$long@$long.$long.$long.example"
"$postern" sender block --user al@acme.example "$long"
{
	echo "al@acme.example,block,first.example"
	yes "al@acme.example,block,$long" | head -n 250000
	echo "al@acme.example,block,last.example"
} >"$dir/large.csv"
v=$(version)
expect large_import_minds_the_revision 4 "$postern" sender import \
    "$dir/large.csv" --if-revision "$((v - 1))"
expect large_preview_is_1 1 "$postern" sender import "$dir/large.csv" --dry-run
says large_preview_counts_all out "2 would be changed"
expect large_import_is_0 0 "$postern" sender import "$dir/large.csv" \
    --if-revision "$v" -o json
same large_import_is_two_batches "$(json \
    'j["batches"], j["changed"], "batch" in j' "$dir/out")" "[[$((v + 1)), $((v + 2))], 2, false]"
says large_import_says_how_to_undo_it err \
    "postern sender undo $((v + 2)), then $((v + 1))"
for i in first last; do
	says "large_import_has_its_$i" <("$postern" sender ls \
	    --user al@acme.example) "$i.example"
done
for i in 2 1; do
	expect "large_import_undone_$i" 0 "$postern" sender undo "$((v + i))"
done
echo 'nobody here,block,x.example' >>"$dir/large.csv"
expect large_import_names_what_it_left_out 1 "$postern" sender import \
    "$dir/large.csv"
says large_import_left_out err "x.example was left out"
echo 'al@acme.example,block' >"$dir/bad.csv"
expect short_row_is_7 7 "$postern" sender import "$dir/bad.csv"
says short_row_has_its_place err "bad.csv:1: user,action,entry are wanted"

# --- revisions
v=$(version)
"$postern" group add "$group" later.example
expect diff_is_1 1 "$postern" revision diff "$v" "$((v + 1))"
says diff_shows_the_entry out "+ entry later.example"
expect diff_of_the_same_is_0 0 "$postern" revision diff "$v" "$v"
expect rollback_asks 2 "$postern" revision rollback "$v"
expect rollback_dry_run_is_1 1 "$postern" revision rollback "$v" --dry-run
says rollback_shows_the_change out "- entry later.example"
expect rollback_is_0 0 "$postern" revision rollback "$v" --yes --wait
expect rolled_back 1 "$postern" group where later.example
same rollback_is_a_new_version "$(version)" "$((v + 2))"
expect rollback_to_nothing_is_3 3 "$postern" revision rollback 9999 --yes

# --- sets and their managers
cat >"$dir/other.yaml" <<'Y'
policies:
  - {id: blocked-senders, type: blocked_senders, narrative: other, action: take_no_action, from: {group: Blocked Senders}, to: internal}
Y
expect foreign_policy_is_4 4 "$postern" apply --set other -f "$dir/other.yaml"
says foreign_holder_is_named err "held by file:default"
expect take_over_dry_run_is_1 1 "$postern" apply --set other \
    -f "$dir/other.yaml" --take-over --dry-run
echo 'groups: {Alone: [a.example]}' >"$dir/alone.yaml"
expect prune_unasked_is_4 4 "$postern" apply -f "$dir/alone.yaml"
says prune_says_the_number err "--prune-limit"
expect other_set_is_apart 0 "$postern" apply --set other -f "$dir/alone.yaml"
expect first_set_still_stands 0 "$postern" diff -f "$acme"
