#!/bin/sh
# Debian's kernels, for test_vm.py: fetched once, checked by apt against the archive's signature, never installed.
#
#   kernels.sh DIR SUITE...      DIR/SUITE is then the kernel (vmlinuz) of Debian SUITE; one that is there stays
#
# Their images for virtual machines: what the tests need is built in, so no module is.
set -eu

dir=$1
shift

say() { echo "kernels: $*" >&2; }
# shellcheck source=tests/e2e/archive.sh
. "$(dirname "$0")/../e2e/archive.sh"

depends_of() { # PACKAGE
  apt-cache depends --important "$1" | sed -n 's/^ *Depends: //p'
}

fetch() { # SUITE
  state=$dir/.apt/$1
  write_apt_config "$state" "$1"
  export APT_CONFIG="$state/apt.conf"
  say "$1: fetching"
  retry apt-get update -qq
  package=$(depends_of linux-image-cloud-amd64 | grep '^linux-image-')
  # From 6.17 on the image is in a package of its own, linux-binary-*, that linux-image-* depends on.
  binary=$(depends_of "$package" | grep '^linux-binary-' || echo "$package")
  (cd "$state" && retry apt-get download -qq "$binary")
  dpkg -x "$state"/*.deb "$state/unpacked"
  mv "$(find "$state/unpacked" -name 'vmlinuz*' -type f)" "$dir/$1"
  rm -rf "$state"
  say "$1: $binary"
}

missing=
for suite in "$@"; do
  [ -s "$dir/$suite" ] || missing="$missing $suite"
done
[ -n "$missing" ] || exit 0

[ "$(id -u)" = 0 ] || { say "needs root (apt)"; exit 77; }
find_mirror
mkdir -p "$dir"
for suite in $missing; do fetch "$suite"; done
