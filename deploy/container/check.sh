#!/usr/bin/env bash
# check.sh - builds the images, runs the compose file, and holds it to what
# README.md promises: a refusal through each MX, found in the message center.
#
# Needs root.  Where no Docker daemon answers it starts one of its own in a
# temporary folder, without a default bridge and without firewall rules: the
# networks of the compose file are bridges that go with it.  Where no
# registry answers base.sh makes the base image.  All that it made is removed
# at the end.  POSTERN_BASE names a base image that is there already.
set -u
cd "$(dirname "$0")/../.." || exit 1
PATH=$PATH:/usr/sbin:/sbin
tag=check-$$
compose=(docker-compose -p "postern-$tag" -f deploy/compose/compose.yaml)
passed=0
failed=0
daemon=
base_made=
dir=$(mktemp -d)

cleanup() {
	trap '' INT TERM
	if docker info >/dev/null 2>&1; then
		"${compose[@]}" down -v -t 5 >/dev/null 2>&1
		docker rmi "postern-controller:$tag" "postern-node:$tag" \
		    "postern-postfix:$tag" "postern-build:$tag" \
		    ${base_made:+"$base_made"} >/dev/null 2>&1
	fi
	if [ -n "$daemon" ]; then
		kill "$daemon" 2>/dev/null
		wait "$daemon" 2>/dev/null
	fi
	# what the daemon leaves mounted below its folder
	awk -v d="$dir/" 'index($2, d) == 1 { print $2 }' /proc/mounts |
	    sort -r | xargs -r umount
	rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 143' TERM
trap 'exit 130' INT

ok() {
	passed=$((passed + 1))
	echo "ok $1"
}

not_ok() {
	failed=$((failed + 1))
	echo "not ok $1${2:+: $2}"
}

# holds NAME COMMAND...: the command succeeds
holds() {
	local name=$1
	shift
	if "$@" >"$dir/held" 2>&1; then
		ok "$name"
	else
		not_ok "$name" "$*"
		tail -n 20 "$dir/held"
	fi
}

# same NAME GOT WANT
same() {
	if [ "$2" = "$3" ]; then
		ok "$1"
	else
		not_ok "$1" "\"$2\", expected \"$3\""
	fi
}

finish() {
	echo "$passed passed, $failed failed"
	[ "$failed" = 0 ] && [ "$passed" -gt 0 ]
	exit
}

die() {
	not_ok "$@"
	[ ! -s "$dir/log" ] || tail -n 30 "$dir/log"
	finish
}

# until_true SECONDS COMMAND...
until_true() {
	local end=$((SECONDS + $1))
	shift
	while ! "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -le "$end" ] || return 1
		sleep 0.2
	done
}

step() {
	echo "== $* (${SECONDS} s)"
}

json() {
	python3 -c 'import json, sys
j = json.load(sys.stdin)
v = eval(sys.argv[1])
print(v if isinstance(v, str) else json.dumps(v))' "$1"
}

# --- what it needs ------------------------------------------------------------

start_daemon() {
	mkdir "$dir/docker"
	DOCKER_HOST=unix://$dir/docker/sock
	export DOCKER_HOST
	dockerd --data-root "$dir/docker/data" --exec-root "$dir/docker/exec" \
	    --pidfile "$dir/docker/pid" --host "$DOCKER_HOST" --bridge=none \
	    --iptables=false --ip-masq=false --ip-forward=false \
	    >"$dir/log" 2>&1 </dev/null &
	daemon=$!
	until_true 30 docker info || die docker_daemon_starts
	: >"$dir/log"
}

find_base() {
	BASE=${POSTERN_BASE:-debian:bookworm-slim}
	export BASE
	if docker image inspect "$BASE" >/dev/null 2>&1; then
		echo "the base image is $BASE, which was here"
	elif timeout 60 docker pull -q "$BASE" >/dev/null 2>&1; then
		base_made=$BASE
		echo "the base image is $BASE, from the registry"
	else
		BASE=postern-base:$tag
		base_made=$BASE
		echo "no registry answers: debootstrap makes the base image"
		deploy/container/base.sh "$BASE" >"$dir/log" 2>&1 ||
		    die base_image_is_made
	fi
}

# --- what is asked of it ------------------------------------------------------

container() {
	echo "postern-${tag}_$1_1"
}

inspect() {
	docker inspect -f "$2" "$(container "$1")"
}

is_healthy() {
	[ "$(inspect "$1" '{{.State.Health.Status}}')" = healthy ]
}

# inside CONTAINER COMMAND...
inside() {
	local c=$1
	shift
	docker exec "$(container "$c")" "$@" </dev/null
}

# knows_controller CONTAINER: that name means something there
knows_controller() {
	inside "$1" timeout 3 getent hosts controller
}

cannot() {
	! "$@"
}

free_port() {
	python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])'
}

# greets PORT: a server says that it is ready
greets() {
	timeout 3 bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$1" &&
	    read -r -u 3 line && [ "${line:0:3}" = 220 ]' - "$1"
}

# refused NAME PORT FROM: sets $id, of the refusal by the node
refused() {
	local reply
	python3 tests/lib/smtp.py "$2" --mail-from "$3" \
	    --to al@acme.example >"$dir/smtp.json" 2>&1
	reply=$(json 'next("%s %s %s" % (r["code"], r["enhanced"], r["text"])
	    for r in j["replies"] if r["command"].startswith("RCPT"))' \
	    <"$dir/smtp.json" 2>/dev/null)
	id=$(echo "$reply" | sed -n 's/.*\[\([0-9A-Z]\{10\}\)\].*/\1/p')
	echo "   $reply"
	if [ -n "$id" ] && [ "${reply:0:9}" = "550 5.7.1" ]; then
		ok "$1"
	else
		not_ok "$1" "not a refusal of ours"
		cat "$dir/smtp.json"
	fi
}

# The node that the message center names for refusal $1.
node_of() {
	inside controller postern message search --status rejected -o json |
	    json "next(m['node'] for m in j['messages'] if m['id'] == '$1')"
}

check_containers() {
	local c
	for c in controller node1 node2; do
		same "${c}_runs_as_its_own_user" "$(inside "$c" \
		    sed -n 's/^Uid:\t//p' /proc/1/status)" "$(printf '2525\t2525\t2525\t2525')"
		same "${c}_has_no_capability" "$(inside "$c" \
		    sed -n 's/^CapBnd:\t//p' /proc/1/status)" \
		    0000000000000000
		same "${c}_publishes_nothing" \
		    "$(inspect "$c" '{{len .NetworkSettings.Ports}}')" 0
	done
	for c in controller node1 node2 mx1 mx2; do
		inside "$c" touch /usr/made >"$dir/touched" 2>&1
		holds "${c}_has_a_read_only_root" \
		    grep -q 'Read-only file system' "$dir/touched"
	done
	for c in mx1 mx2; do
		same "${c}_is_published_on_loopback_alone" "$(inspect "$c" \
		    '{{range .NetworkSettings.Ports}}{{range .}}{{.HostIp}} {{end}}{{end}}')" \
		    "127.0.0.1 "
		holds "${c}_does_not_see_the_controller" \
		    cannot knows_controller "$c"
	done
	for c in node1 node2; do
		holds "${c}_sees_the_controller" knows_controller "$c"
	done
}

# stops CONTAINER: SIGTERM ends it with 0 within 5 s
stops() {
	local began=$SECONDS
	docker stop -t 10 "$(container "$1")" >/dev/null
	same "$1_ends_with_0_on_sigterm" \
	    "$(inspect "$1" '{{.State.ExitCode}}')" 0
	holds "$1_ends_within_5_s" [ $((SECONDS - began)) -le 5 ]
}

# --- the check ----------------------------------------------------------------

[ "$(id -u)" = 0 ] || {
	echo "this needs root, for Docker and debootstrap"
	exit 77
}
step "what it needs"
deploy/deps.sh containers || die packages_are_installed
docker info >/dev/null 2>&1 || start_daemon
find_base

step "images"
TAG=$tag deploy/container/build.sh build controller node postfix \
    >"$dir/log" 2>&1 || die images_are_built
ok images_are_built
docker images --format '   {{.Repository}}:{{.Tag}} {{.Size}}' | grep "$tag"

step "a controller and two MX hosts"
MX1_PORT=$(free_port)
MX2_PORT=$(free_port)
export POSTERN_TAG=$tag MX1_PORT MX2_PORT
timeout 120 "${compose[@]}" up -d >"$dir/log" 2>&1 || die compose_comes_up
ok compose_comes_up
holds node1_is_not_ready_without_a_policy cannot inside node1 \
    postern-node healthcheck --dir /var/lib/postern
holds policy_is_applied_to_both_nodes inside controller postern apply \
    -f /policy/acme.yaml --wait
for c in controller node1 node2 mx1 mx2; do
	holds "${c}_is_healthy" until_true 60 is_healthy "$c"
done
check_containers

step "a refusal through each MX"
until_true 20 greets "$MX1_PORT"
until_true 20 greets "$MX2_PORT"
refused mx1_refuses "$MX1_PORT" offers@bad.example
id1=$id
refused mx2_refuses "$MX2_PORT" other@bad.example
id2=$id
found() {
	[ "$(node_of "$1")" = "$2" ]
}
holds refusal_of_mx1_is_in_the_message_center until_true 20 found "$id1" mx1
holds refusal_of_mx2_is_in_the_message_center until_true 20 found "$id2" mx2

step "the end, and a second start"
stops controller
refused mx1_refuses_without_the_controller "$MX1_PORT" third@bad.example
stops node1
docker start "$(container controller)" "$(container node1)" >/dev/null
for c in controller node1; do
	holds "${c}_is_healthy_again" until_true 60 is_healthy "$c"
done
holds refusal_meanwhile_is_in_the_message_center until_true 60 \
    found "$id" mx1
stops node2
step "done"
finish
