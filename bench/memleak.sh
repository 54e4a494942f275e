#!/bin/sh
# bcc's memleak (libbpf-tools of Debian 13; Debian 12 has none) in a private folder with its own C library, for
# memory.py: nothing is installed on the machine.
#
#   memleak.sh DIR      DIR/memleak is then the program. Needs root, apt, dpkg-deb and a Debian mirror.
set -eu

dir=$1
packages='libbpf-tools libc6 libelf1t64 zlib1g libzstd1'
[ ! -x "$dir/memleak" ] || exit 0

say() { echo "memleak.sh: $*" >&2; }
# shellcheck source=tests/e2e/archive.sh
. "$(dirname "$0")/../tests/e2e/archive.sh"
find_mirror
state=$dir/.apt
rm -rf "$state" "$dir/root"
mkdir -p "$dir/root"
write_apt_config "$state" trixie
export APT_CONFIG="$state/apt.conf"
apt-get update -qq
# shellcheck disable=SC2086 # a list of words
(cd "$state" && apt-get download -qq $packages)
for package in "$state"/*.deb; do
  dpkg-deb --fsys-tarfile "$package" | tar -x -C "$dir/root"
done
rm -rf "$state"
cat > "$dir/memleak" << RUN
#!/bin/sh
root=$dir/root
exec \$root/usr/lib64/ld-linux-x86-64.so.2 --library-path \$root/usr/lib/x86_64-linux-gnu \$root/usr/sbin/memleak-libbpf "\$@"
RUN
chmod +x "$dir/memleak"
