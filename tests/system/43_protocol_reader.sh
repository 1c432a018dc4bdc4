#!/usr/bin/env bash
# 43_protocol_reader.sh - a reader written from PROTOCOL.md alone agrees with
# the programs: certificates, join tokens, chunks, digests, the audit log.
. "$(dirname "$0")/../lib/system.sh"
reader=(python3 "$lib/second_reader.py")

start_controller || die "no controller" "$dir/controller.log"
keys=$dir/controller/keys
holds known_answers_are_those_of_the_text "${reader[@]}" known

"$postern" key revoke --yes || die "no revocation"
"$postern" key show -o json >"$dir/show.json"
expect certificate_is_read 0 "${reader[@]}" cert "$keys/root.pub" \
    "$keys/publisher.key"
same certificate_says_the_same "$(json 'j["serial"], j["min_serial"]' \
    "$dir/out")" "$(json 'j["serial"], j["min_serial"]' "$dir/show.json")"
same certificate_lasts_90_days "$(json \
    '(j["not_after_us"] // 1000000 - j["serial"]) // 86400 in (89, 90)' \
    "$dir/out")" true
"$postern" key make "$dir/other" 2>/dev/null || die "no other keys"
expect certificate_of_another_root_is_not 1 "${reader[@]}" cert \
    "$dir/other/root.pub" "$keys/publisher.key"

began=$(now_ms)
"$postern" node join-token --ttl 5m >"$dir/token"
ended=$(now_ms)
expect token_is_read 0 "${reader[@]}" token "$keys/root.pub" "$dir/token"
same token_lasts_as_asked "$(json \
    "$began <= j['expires_us'] // 1000 - 300000 <= $ended" "$dir/out")" true
expect token_for_another_root_is_not 1 "${reader[@]}" token \
    "$dir/other/root.pub" "$dir/token"

"$postern" apply -f tests/fixtures/releases/policy.yaml || die "no policy"
published=$dir/controller/published
until_true 10 [ -s "$published/MANIFEST" ] || die "nothing is published" \
    "$dir/controller.log"
chunk=$(find "$published" -type f ! -name 'MANIFEST*')
expect chunk_is_read 0 "${reader[@]}" chunk "$chunk"
same chunk_is_named_by_its_hash "$(json 'j["hash"]' "$dir/out")" \
    "${chunk##*/}"
"$postern" status -o json >"$dir/status.json"
same digest_is_the_same "$(json 'j["digest"], j["records"]' "$dir/out")" \
    "$(json 'j["digest"], j["records"]' "$dir/status.json")"

curl -fsS -H "Authorization: Bearer $(cat "$POSTERN_TOKEN_FILE")" \
    "$POSTERN_ADDR/v1/audit/chain" >"$dir/chain.json"
expect audit_log_is_followed 0 "${reader[@]}" audit "$dir/chain.json"
same audit_log_ends_where_the_status_says "$(json '[j[k] for k in
    ("sequence", "hash", "adopted")]' "$dir/out")" "$("$postern" status \
    -o json | json '[j["audit"][k] for k in ("sequence", "hash", "adopted")]')"
sed 's/policy.apply/policy.appla/' "$dir/chain.json" >"$dir/changed.json"
expect audit_log_that_was_changed_is_not 1 "${reader[@]}" audit \
    "$dir/changed.json"
