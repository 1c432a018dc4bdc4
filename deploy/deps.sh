#!/usr/bin/env bash
# deps.sh - install what Postern needs to be built, tested and shown on
# Debian 12; quick and silent when all of it is there.
set -eu

packages="build-essential pkg-config clang-14 libclang-rt-14-dev
	libsodium-dev libcmocka-dev libjansson-dev libyaml-dev libidn2-dev
	libunistring-dev universal-ctags python3"
# name and the oldest version that will do
versions="libsodium-dev:1.0.18-1+deb12u1 libcmocka-dev:1.1.5"

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

command -v dpkg-query >/dev/null ||
    die "this is for Debian; install by hand: $packages"
missing=""
for p in $packages; do
	dpkg-query -W -f '${Status}' "$p" 2>/dev/null |
	    grep -q 'install ok installed' || missing="$missing $p"
done
if [ -n "$missing" ]; then
	echo "installing:$missing"
	log=$(mktemp)
	# shellcheck disable=SC2086
	{
		as_root env DEBIAN_FRONTEND=noninteractive apt-get \
		    -o DPkg::Lock::Timeout=300 update &&
		as_root env DEBIAN_FRONTEND=noninteractive apt-get \
		    -o DPkg::Lock::Timeout=300 install -y \
		    --no-install-recommends $missing
	} >"$log" 2>&1 </dev/null || {
		tail -20 "$log" >&2
		die "apt-get failed (the whole log: $log); is the network up?"
	}
	rm -f "$log"
fi
for v in $versions; do
	have=$(dpkg-query -W -f '${Version}' "${v%%:*}")
	dpkg --compare-versions "$have" ge "${v#*:}" ||
	    die "${v%%:*} is $have, at least ${v#*:} is needed: apt-get upgrade"
done
