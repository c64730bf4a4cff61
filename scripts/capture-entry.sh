#!/bin/sh
# The entry point of the image "capture". A container that is to hold a network namespace
# (`capture --sleep`) first gets rules that were made with the image, which takes nft some
# milliseconds; Node, which puts those that are asked for in their place, all at once, needs half a
# second. The first are as strict or stricter. Where they can't be set the container ends, since
# whoever joined it meanwhile would be open.
set -eu

rules=both
is_holder=no
for word in "$@"; do
  case $word in
    --sleep) is_holder=yes ;;
    --inbound-only) rules=inbound ;;
  esac
done

# Rules that are there are those of an earlier run in the same namespace, and stay till then.
if [ "${1-}" = capture ] && [ "$is_holder" = yes ] &&
  ! nft list table inet countersign >/dev/null 2>&1; then
  if ! nft -f "/opt/countersign/first-rules/$rules.nft"; then
    echo "error: the first rules can't be set, and nothing is held" >&2
    echo '  hint: cap_add: [NET_ADMIN, SETUID, SETGID], on Linux 5.2 or later' >&2
    exit 1
  fi
fi
exec countersign "$@"
