#!/bin/sh
# Bare Debian 12 and 13 roots, for the tests of the packages: what a machine has on its first day, and a python3. In
# Debian 13's is systemd too, which makes the service's user; in Debian 12's it is not, and nothing may miss it.
#
#   roots.sh [DIR]      DIR: default $ASYNCLEAK_FLEET, else /var/cache/asyncleak-fleet
#
# DIR/bare-SUITE is then a root. Nobody writes there: the tests put an overlay on it (root.py). Roots that are there are
# left alone. Needs root, debootstrap and a Debian mirror: the one this machine uses.
set -eu

dir=${1:-${ASYNCLEAK_FLEET:-/var/cache/asyncleak-fleet}}
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

say() { echo "roots: $*" >&2; }

build() { # SUITE PACKAGES
  new=$dir/.new-bare-$1
  rm -rf "$new"
  say "$1: fetching"
  debootstrap --variant=minbase --include="$2" --keyring=$keyring "$1" "$new" "$mirror" > "$dir/bare-$1.log" 2>&1 || {
    tail -n 5 "$dir/bare-$1.log" >&2
    return 1
  }
  # What the package depends on, so that a later run installs it without a network.
  chroot "$new" apt-get -qq -o Acquire::Check-Valid-Until=false update
  chroot "$new" apt-get -qq -y --download-only --no-install-recommends install acl libbpf1 libdw1 libncursesw6 > /dev/null
  mv "$new" "$dir/bare-$1"
  rm -f "$dir/bare-$1.log"
  say "$1: ready"
}

[ -d "$dir/bare-bookworm" ] && [ -d "$dir/bare-trixie" ] && exit 0
[ "$(id -u)" = 0 ] || { say "needs root (chroot, debootstrap)"; exit 77; }
# shellcheck disable=SC2016 # apt's own variable
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | head -n 1)
[ -n "$mirror" ] || { say "apt knows no mirror here: run apt-get update"; exit 1; }
mkdir -p "$dir"

pids=
[ -d "$dir/bare-bookworm" ] || { (set -e; build bookworm python3) & pids="$pids $!"; }
[ -d "$dir/bare-trixie" ] || { (set -e; build trixie python3,systemd) & pids="$pids $!"; }
status=0
for pid in $pids; do wait "$pid" || status=1; done
exit $status
