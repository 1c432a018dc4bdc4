#!/usr/bin/env bash
# 42_milter_miltertest.sh - the milter front as OpenDKIM's miltertest sees it:
# the mail server's side of the protocol, written by others.
. "$(dirname "$0")/../lib/system.sh"
command -v miltertest >/dev/null ||
    skip "miltertest is not here; deploy/deps.sh installs it"

cat >"$dir/policy.yaml" <<'Y'
organization: {internal_domains: [acme.example]}
policies:
  - {id: bad, type: blocked_senders, narrative: n, action: block_sender,
     from: {domain: bad.example}, to: internal}
  - {id: evil, type: blocked_senders, narrative: n, action: block_sender,
     addresses_based_on: header, from: {domain: evil.example},
     to: {address: al@acme.example}}
  - {id: good, type: permitted_senders, narrative: n, action: permit_sender,
     from: {domain: good.example}, to: internal}
Y
start_dev --nodes 1 --policy "$dir/policy.yaml"
milter=$(each milter_tcp)
if ! miltertest -D "socket=inet:${milter##*:}@127.0.0.1" -s "$lib/milter.lua"
then
	not_ok miltertest_comes_to_its_end "" "$dev_dir/node-1/log"
else
	ok miltertest_comes_to_its_end
fi
