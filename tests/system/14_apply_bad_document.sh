#!/usr/bin/env bash
# 14_apply_bad_document.sh - documents that are wrong, through apply over HTTP:
# exit 7, the place, and nothing written.
. "$(dirname "$0")/../lib/system.sh"

start_dev --nodes 1 --policy deploy/examples/acme.yaml
version() {
	"$postern" status -o json | json '(j["version"], j["digest"])'
}
before=$(version)

# refused NAME PLACE TEXT: the document on standard input
refused() {
	local name=$1
	cat >"$dir/$name.yaml"
	expect "${name}_is_7" 7 timeout 120 "$postern" apply --set bad \
	    -f "$dir/$name.yaml"
	says "${name}_has_its_place" err "$name.yaml:$2"
	says "${name}_has_its_reason" err "$3"
	same "${name}_writes_nothing" "$(version)" "$before"
}

refused unknown_key 2:3: internal_domains <<'Y'
organization:
  internal_domain: [acme.example]
Y
refused duplicate_key 3:1: twice <<'Y'
groups: {a: [x.example]}
policies: []
groups: {b: [x.example]}
Y
refused wrong_type 2:20: 'must be a list' <<'Y'
groups:
  Blocked Senders: bad.example
Y
refused alias_bomb 1: anchor <<'Y'
a: &a [x, x, x, x, x, x, x, x, x, x]
b: &b [*a, *a, *a, *a, *a, *a, *a, *a, *a, *a]
c: &c [*b, *b, *b, *b, *b, *b, *b, *b, *b, *b]
d: &d [*c, *c, *c, *c, *c, *c, *c, *c, *c, *c]
e: &e [*d, *d, *d, *d, *d, *d, *d, *d, *d, *d]
f: &f [*e, *e, *e, *e, *e, *e, *e, *e, *e, *e]
g: &g [*f, *f, *f, *f, *f, *f, *f, *f, *f, *f]
groups: {x: *g}
Y
refused dangling_group 2:5: '"Nobody"' <<'Y'
policies:
  - id: p
    type: blocked_senders
    narrative: n
    action: block_sender
    from: {group: Nobody}
    to: internal
Y
expect dangling_group_is_said_before_what_it_would_prune 7 "$postern" apply \
    -f "$dir/dangling_group.yaml"
refused cycle 1: cycle <<'Y'
groups: {a: [{group: b}], b: [{group: c}], c: [{group: a}]}
Y
refused unquoted_star 3:8: 'put it in quotes' <<'Y'
groups:
  a:
    - *.x
Y
refused at_sign 3:7: 'without @' <<'Y'
groups:
  a:
    - @x.example
Y
refused bad_address 2:7: 'two@signs@x.example' <<'Y'
groups:
  a: [two@signs@x.example]
Y
refused not_utf8 1:15: UTF-8 <<<$'groups: {a: ["\xff.example"]}'
python3 -c 'print("[" * 100000)' | refused deep 1: deep
(echo 'groups:'; echo '  a:'; yes '    - "aaaaaaaaaaaaaaaaaaaaa.example"' |
    head -c 50000000) >"$dir/50mb.yaml"
expect fifty_mb_is_7 7 timeout 120 "$postern" apply -f "$dir/50mb.yaml"
says fifty_mb_has_its_reason err 50mb.yaml
same fifty_mb_writes_nothing "$(version)" "$before"
expect missing_file_is_3 3 "$postern" apply -f "$dir/none.yaml"
holds node_still_answers refuses "${node_tcp[0]}"
expect good_one_is_0_after_all_this 0 "$postern" apply \
    -f deploy/examples/acme.yaml

# the same past the command line: what any client may send
token=$(cat "$POSTERN_TOKEN_FILE")
post() {
	curl -sS -m 20 -o "$dir/answer" -w '%{http_code}' -H \
	    "Authorization: Bearer $token" -H 'Content-Type: application/json' \
	    --data-binary "$1" "$POSTERN_ADDR/v1/apply"
}
same no_json_is_400 "$(post '{')" 400
same no_documents_is_400 "$(post '{}')" 400
same wrong_documents_is_400 "$(post '{"documents":[1]}')" 400
same list_as_body_is_400 "$(post '[]')" 400
same bad_document_is_422 "$(post '{"documents":[{"name":"d","text":"x: 1"}]}')" \
    422
says bad_document_has_its_place answer 'd:1:1'
python3 -c 'print("[" * 1000000, end="")' >"$dir/deep.json"
same deep_json_is_400 "$(post "@$dir/deep.json")" 400
same nothing_was_written "$(version)" "$before"

# a group that the policy in force has, in a set of its own
sed 's/Nobody/Relay/' "$dir/dangling_group.yaml" >"$dir/more.yaml"
expect group_in_force_may_be_named 0 "$postern" apply --set more \
    -f "$dir/more.yaml"
