#!/usr/bin/env bash
# deps.sh - install what Postern needs to be built, tested and shown on
# Debian 12; quick and silent when all of it is there.
#
# usage: deploy/deps.sh [build | bench | containers]
#
# With "build", what building needs alone; with "bench", that and the peers that
# the harness measures beside us; with "containers", what building and running
# the images needs.
#
# Postfix is wanted for its programs alone: the tests run it in folders of
# their own.  So it is installed without a configuration and is not started,
# and one that is here already is left as it is.
set -eu

packages="build-essential pkg-config libzmq3-dev libprotobuf-c-dev
	protobuf-c-compiler protobuf-compiler libleveldb-dev libsodium-dev
	libuv1-dev libmicrohttpd-dev libjansson-dev libyaml-dev libidn2-dev
	libunistring-dev libpsl-dev libcurl4-openssl-dev"
testing="clang-14 libclang-rt-14-dev libcmocka-dev universal-ctags python3
	curl postfix swaks gcovr strace iproute2 util-linux openssl e2fsprogs
	procps miltertest libmilter-dev"
# name and the oldest version that will do; libsodium for its security fix
versions="libzmq3-dev:4.3.4 libprotobuf-c-dev:1.4.1 libleveldb-dev:1.23
	libsodium-dev:1.0.18-1+deb12u1"
case ${1:-} in
"")
	packages="$packages $testing"
	versions="$versions libcmocka-dev:1.1.5"
	;;
build) ;;
bench)
	packages="$packages python3 curl postfix procps postfix-lmdb rspamd
	    postfwd libmilter-dev"
	;;
containers)
	packages="docker.io docker-compose debootstrap iptables python3"
	versions=
	;;
*)
	echo "usage: deploy/deps.sh [build | bench | containers]" >&2
	exit 2
	;;
esac
policy=/usr/sbin/policy-rc.d
guarded=no
log=

die() {
	echo "deps.sh: $*" >&2
	exit 1
}

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	else
		command -v sudo >/dev/null ||
		    die "run this as root, or install sudo"
		sudo "$@"
	fi
}

apt() {
	as_root env DEBIAN_FRONTEND=noninteractive apt-get \
	    -o DPkg::Lock::Timeout=300 "$@" >>"$log" 2>&1 </dev/null
}

cleanup() {
	[ "$guarded" = no ] || as_root rm -f "$policy"
	[ -z "$log" ] || rm -f "$log"
}

# Nothing that is installed from here on may start by itself.
guard() {
	[ ! -e "$policy" ] || return 0
	guarded=yes
	printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
	as_root chmod 755 "$policy"
}

have() {
	dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' "$@" 2>/dev/null |
	    sed -n 's/^.i  *//p'
}

# shellcheck disable=SC2086
command -v dpkg-query >/dev/null ||
    die "this is for Debian 12; install by hand what these packages hold:" \
	$packages
trap cleanup EXIT
# shellcheck disable=SC2086
present=" $(have $packages | tr '\n' ' ')"
missing=
for p in $packages; do
	case $present in
	*" $p "*) ;;
	*) missing="$missing $p" ;;
	esac
done

if [ -n "$missing" ]; then
	echo "installing:$missing"
	log=$(mktemp)
	guard
	case "$missing " in
	*" postfix "*)
		echo "postfix postfix/main_mailer_type select No configuration" |
		    as_root debconf-set-selections
		;;
	esac
	# the lists at hand often do; --no-remove spares another mail server
	# shellcheck disable=SC2086
	apt install -y --no-install-recommends --no-remove $missing || {
		apt update || true
		apt install -y --no-install-recommends --no-remove $missing
	} || {
		tail -20 "$log" >&2
		die "apt-get failed.  Is the network up?  If it would remove" \
		    "another mail server, build on a machine without one."
	}
fi

for v in $versions; do
	got=$(dpkg-query -W -f '${Version}' "${v%%:*}")
	dpkg --compare-versions "$got" ge "${v#*:}" ||
	    die "${v%%:*} is $got, at least ${v#*:} is needed:" \
		"apt-get update && apt-get install ${v%%:*}"
done
