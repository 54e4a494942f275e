#!/bin/sh
# Private Debian roots with stripped interpreters, for the e2e tests: nothing is installed on the machine.
#
#   fleet.sh [DIR]      DIR: default $ASYNCLEAK_FLEET, else /var/cache/asyncleak-fleet
#
# DIR/SUITE is then a root: chroot DIR/SUITE /usr/bin/python3.X. Roots whose interpreters run already
# are left alone. Needs root, apt, dpkg-deb and a Debian mirror: the one this machine uses.
set -eu

dir=${1:-${ASYNCLEAK_FLEET:-/var/cache/asyncleak-fleet}}
suites='bullseye bookworm trixie forky'

interpreters_of() {
  case $1 in
    bullseye) echo 3.9 ;;
    bookworm) echo 3.11 ;;
    trixie) echo 3.13 ;;
    forky) echo 3.14 3.15 ;;
  esac
}

say() { echo "fleet: $*" >&2; }
# shellcheck source=tests/e2e/archive.sh
. "$(dirname "$0")/archive.sh"

works() { # ROOT SUITE
  for version in $(interpreters_of "$2"); do
    chroot "$1" "/usr/bin/python$version" -c 'import asyncio; asyncio.run(asyncio.sleep(0))' 2>/dev/null || return 1
  done
}

unpack() { # STATE ROOT SUITE
  rm -rf "$2"
  mkdir -p "$2"
  case $3 in
    bullseye | bookworm) ;; # their packages ship /bin and /lib as directories
    *)
      mkdir -p "$2/usr/bin" "$2/usr/sbin" "$2/usr/lib" "$2/usr/lib64"
      for link in bin sbin lib lib64; do ln -s "usr/$link" "$2/$link"; done
      ;;
  esac
  for package in "$1"/cache/archives/*.deb; do
    dpkg-deb --fsys-tarfile "$package" | tar -x -C "$2" --keep-directory-symlink || return 1
  done
  mkdir -p "$2/tmp" "$2/proc" "$2/dev"
  chmod 1777 "$2/tmp"
  [ -e "$2/dev/null" ] || mknod -m 666 "$2/dev/null" c 1 3
  [ -e "$2/dev/urandom" ] || mknod -m 666 "$2/dev/urandom" c 1 9
}

build() { # SUITE
  state=$dir/.apt/$1
  packages='base-files python3-uvloop'
  for version in $(interpreters_of "$1"); do packages="$packages python$version"; done
  write_apt_config "$state" "$1"
  say "$1: fetching"
  retry env APT_CONFIG="$state/apt.conf" apt-get update -qq
  # shellcheck disable=SC2086 # a list of words
  retry env APT_CONFIG="$state/apt.conf" apt-get install -qq -y --download-only $packages > /dev/null
  unpack "$state" "$dir/.new-$1" "$1"
  works "$dir/.new-$1" "$1"
  rm -rf "${dir:?}/$1"
  mv "$dir/.new-$1" "$dir/$1"
  rm -rf "$state"
  say "$1: ready"
}

missing=
for suite in $suites; do
  works "$dir/$suite" "$suite" || missing="$missing $suite"
done
[ -n "$missing" ] || exit 0

[ "$(id -u)" = 0 ] || { say "needs root (chroot, apt)"; exit 77; }
find_mirror
mkdir -p "$dir"

pids=
for suite in $missing; do
  (set -e; build "$suite") &
  pids="$pids $!"
done
status=0
for pid in $pids; do wait "$pid" || status=1; done
[ $status = 0 ] || say "not every root could be built"
exit $status
