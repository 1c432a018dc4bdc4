#!/usr/bin/env bash
# build.sh - build the images from this tree.
#
# usage: deploy/container/build.sh [TARGET...]     (controller node postfix)
#
# BASE names the base image (debian:bookworm-slim), TAG the tag (latest),
# JOBS how many compilers may run.  The tree goes to Docker without build/
# and .git; the build uses the host's network to reach Debian's mirror.
set -eu
cd "$(dirname "$0")/../.."
[ $# -gt 0 ] || set -- controller node postfix
for target; do
	tar -c --exclude=./build --exclude=./.git . |
	    DOCKER_BUILDKIT=0 docker build --quiet --network host \
	    --build-arg "BASE=${BASE:-debian:bookworm-slim}" \
	    --build-arg "JOBS=${JOBS:-2}" --target "$target" \
	    --tag "postern-$target:${TAG:-latest}" \
	    --file deploy/container/Dockerfile - >/dev/null
	echo "postern-$target:${TAG:-latest}"
done
