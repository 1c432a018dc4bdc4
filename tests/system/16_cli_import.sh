#!/usr/bin/env bash
# 16_cli_import.sh - lists in the forms of other systems become entries of a
# group, with a preview; a directory comes from CSV.
source "$(dirname "$0")/../lib/system.sh"

start_dev --policy deploy/examples/acme.yaml

entries() {
	"$postern" group export "$1" | sort | tr '\n' ' '
}

import() {
	"$postern" group import "$@" --create
}

cat >"$dir/list.txt" <<'T'
# a comment
one.example
  "two@x.example"  # another
*.three.example
T
sed -i 's/"//g' "$dir/list.txt"
expect text_is_imported 0 import Text "$dir/list.txt"
same text_entries "$(entries Text)" "*.three.example one.example two@x.example "

printf '\xef\xbb\xbfid,"Domain",note\r\n1,one.example,"a, b"\r\n2,"two.example",\r\n' \
    >"$dir/list.csv"
expect csv_is_imported 0 import Csv "$dir/list.csv" --format csv
same csv_entries "$(entries Csv)" "one.example two.example "
echo 'plain.example,x' >"$dir/plain.csv"
expect csv_without_head_is_imported 0 import Plain "$dir/plain.csv" \
    --format csv
same csv_without_head "$(entries Plain)" "plain.example "

cat >"$dir/list.map" <<'M'
one.example
two@x.example 5.0
@three.example SYMBOL:3
"four.example"
/^spam.*@/i
M
expect rspamd_map_is_imported 0 import Map "$dir/list.map" --format rspamd
says rspamd_regexp_is_named err "list.map:5: left out: a regular expression"
same rspamd_entries "$(entries Map)" \
    "four.example one.example three.example two@x.example "

cat >"$dir/access" <<'A'
# Postfix access(5)
one.example	REJECT
.two.example	550 5.7.1 no
x@three.example	DISCARD
four.example	OK
noreply@	REJECT
192.0.2.1	REJECT
<>	REJECT
A
expect access_preview_is_1 1 "$postern" group import Access "$dir/access" \
    --format access --create --dry-run
says preview_says_what_comes out "one.example"
expect preview_changes_nothing 3 "$postern" group show Access
expect access_is_imported 0 import Access "$dir/access" --format access
same access_entries "$(entries Access)" \
    "*.one.example *.two.example one.example x@three.example "
same access_lines_left_out "$(grep -c 'left out' "$dir/err")" 4
expect unknown_format_is_2 2 import X "$dir/access" --format xml

# the directory: a CSV file beside the document
cat >"$dir/users.csv" <<'C'
address,aliases,state,attr:dept
al@acme.example,albert@acme.example;a@acme.example,active,legal
bo@acme.example,,disabled,
cy@acme.example,,unlicensed,"sales, north"
C
cat >"$dir/known.yaml" <<'Y'
organization: {internal_domains: [acme.example], recipient_validation: known}
directory: [{file: users.csv}]
Y
ask() {
	"$postern" explain -f "$dir/known.yaml" --from x@ok.example --to "$1"
}
expect alias_is_known 0 ask a@acme.example
expect disabled_is_refused 1 ask bo@acme.example
says disabled_says_so out recipient_disabled
expect unlicensed_is_a_recipient 0 ask cy@acme.example
expect stranger_is_refused 1 ask zz@acme.example
"$postern" export -f "$dir/known.yaml" >"$dir/export.yaml"
"$postern" export -f "$dir/export.yaml" >"$dir/again.yaml"
holds directory_reads_back_the_same cmp "$dir/export.yaml" "$dir/again.yaml"
sed -i 's/unlicensed/retired/' "$dir/users.csv"
expect bad_state_is_7 7 ask al@acme.example
says bad_state_has_its_line err 'users.csv:4:1: "retired": state is active'
printf 'address\nal@acme.example\nal@acme.example\n' >"$dir/users.csv"
expect address_twice_is_7 7 ask al@acme.example
says address_twice_has_its_line err 'users.csv:3:1: "al@acme.example"'
printf 'mail\nal@acme.example\n' >"$dir/users.csv"
expect no_head_is_7 7 ask al@acme.example
says no_head_says_the_columns err 'the columns are address, aliases'

# the directory of the controller, part by part
{
	echo 'address,state'
	seq -f 'u%.0f@acme.example,active' 1 200000
} >"$dir/large.csv"
expect directory_preview_is_0 0 "$postern" directory import \
    "$dir/large.csv" --dry-run
says directory_preview_counts out "200000 would be added"
expect recipient_is_not_there_yet 3 "$postern" directory show \
    u7@acme.example
expect directory_is_imported 0 "$postern" directory import \
    "$dir/large.csv" --wait=60s
expect recipient_is_there 0 "$postern" directory show U200000@ACME.example
same directory_is_in_force "$("$postern" status -o json |
    json 'j["records"] > 200000')" true
expect recipient_is_removed 0 "$postern" directory rm u7@acme.example --yes
expect recipient_is_gone 3 "$postern" directory show u7@acme.example
echo 'u8@acme.example,gone' >>"$dir/large.csv"
expect bad_row_is_7 7 "$postern" directory import "$dir/large.csv"
says bad_row_has_its_line err 'large.csv:200002:1: "gone"'
