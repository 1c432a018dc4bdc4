#!/usr/bin/env bash
# 42_milter_libmilter.sh - the milter front sends what a milter by libmilter
# does: the same recorded sessions, of mail servers of several ages, played to
# both, are answered with the same packets where the policy accepts.
. "$(dirname "$0")/../lib/system.sh"
[ -e /usr/include/libmilter/mfapi.h ] ||
    skip "libmilter-dev is not here; deploy/deps.sh installs it"

"${CC:-gcc}" -o "$dir/libmilter" bench/libmilter/milter.c -lmilter \
    -lpthread >"$dir/cc.log" 2>&1 || die "it does not build" "$dir/cc.log"

# policy HEADER_STAGE: its rule applies to none of the sessions; the domains
# are those of the harness's load, too
domains=acme.example$(seq -s '' -f ', d%05.0f.acme.example' 0 300)
policy() {
	cat >"$dir/policy.yaml" <<-Y
	organization: {internal_domains: [$domains], header_stage: $1}
	policies:
	  - {id: evil, type: blocked_senders, narrative: n,
	     action: block_sender, from: {domain: evil.example}, to: internal}
	Y
}

# peer NAME ARGUMENT...: libmilter with these, at unix:$dir/NAME
peer() {
	start "$dir/$1.log" "$dir/libmilter" -l "unix:$dir/$1" "${@:2}"
	until_true 10 [ -S "$dir/$1" ] || die "no libmilter" "$dir/$1.log"
}

differ() {
	python3 "$lib/milter.py" "$milter" differ "unix:$dir/$1"
}

policy yes
start_dev --nodes 1 --policy "$dir/policy.yaml"
milter=$(each milter_tcp)
peer whole
holds sessions_have_libmilters_packets differ whole
peer short -e
expect another_negotiation_is_seen 1 differ short
policy no
holds policy_without_headers_is_enforced "$postern" apply -f "$dir/policy.yaml" \
    --wait
holds sessions_without_headers_have_libmilters_packets differ short

# and costs less: CPU of both processes for the same messages, in rotation
peer whole2
"$BUILD/postern-bench" milter --rounds 5 --time 200ms -o json \
    --targets "libmilter=unix:$dir/whole2#$pid,node=$milter#${node_pid[0]}" \
    >"$dir/milter.json" 2>"$dir/err" || die "the load" "$dir/err"
got=$(json 'j["results"]["milters"][1]["x cpu"]["median"]' "$dir/milter.json")
echo "# $got times libmilter's CPU a message"
holds cpu_a_message_is_at_most_half_of_libmilters \
    python3 -c "import sys; sys.exit(not 0 < $got <= 0.5)"
same all_of_them_are_accepted "$(json '[r["refused"] for r in
    j["results"]["milters"]]' "$dir/milter.json")" "[0, 0]"
