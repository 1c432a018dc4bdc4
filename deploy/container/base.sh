#!/usr/bin/env bash
# base.sh - make the base image of Debian 12 where no registry is reachable.
#
# usage: deploy/container/base.sh [NAME]      (postern-base:bookworm)
#
# As root: debootstrap from the mirror that this machine's apt uses (or
# MIRROR=URL), less what a container has no use for, into "docker import".
# The image keeps that mirror and apt's settings for proxy and dates, so that
# the Dockerfile's own apt-get reaches the same packages.
set -eu
name=${1:-postern-base:bookworm}

die() {
	echo "base.sh: $*" >&2
	exit 1
}

[ "$(id -u)" = 0 ] || die "debootstrap needs root"
command -v debootstrap >/dev/null ||
    die "there is no debootstrap: apt-get install debootstrap"

# "URI SUITE" of each list of packages that apt takes from Debian 12
sources=$(apt-get indextargets --format \
    '$(CREATED_BY) $(ORIGIN) $(COMPONENT) $(REPO_URI) $(RELEASE)' |
    awk '$1 == "Packages" && $2 == "Debian" && $3 == "main" &&
	$5 ~ /^bookworm/ { print $4, $5 }' | sort -u)
mirror=${MIRROR:-$(echo "$sources" | awk '$2 == "bookworm" { print $1; exit }')}
[ -n "$mirror" ] || die "apt knows no mirror of bookworm: set MIRROR"
[ -n "$sources" ] || sources="$mirror bookworm"

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
settings=$(apt-config dump |
    grep -E '^Acquire::(Check-|https?::Proxy[ :])' || true)
eval "$(apt-config shell proxy Acquire::http::Proxy)"
if [ -n "${proxy:-}" ]; then
	export http_proxy="$proxy"
fi

debootstrap --variant=minbase bookworm "$dir/root" "$mirror" \
    >"$dir/log" 2>&1 || {
	tail -20 "$dir/log" >&2
	die "debootstrap failed"
}
cd "$dir/root"
echo "$sources" | awk '{ print "deb", $1, $2, "main" }' >etc/apt/sources.list
[ -z "$settings" ] || echo "$settings" >etc/apt/apt.conf.d/90from-host
cat >etc/dpkg/dpkg.cfg.d/slim <<'CFG'
path-exclude /usr/share/doc/*
path-include /usr/share/doc/*/copyright
path-exclude /usr/share/info/*
path-exclude /usr/share/locale/*
path-exclude /usr/share/man/*
CFG
printf '#!/bin/sh\nexit 101\n' >usr/sbin/policy-rc.d
chmod 755 usr/sbin/policy-rc.d
find usr/share/doc -type f ! -name copyright -delete
rm -rf var/cache/apt/*.bin var/cache/apt/archives/*.deb var/lib/apt/lists/* \
    usr/share/info/* usr/share/locale/* usr/share/man/* var/log/*.log
tar -c . | docker import --change 'CMD ["/bin/bash"]' - "$name" >/dev/null
