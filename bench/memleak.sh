#!/bin/sh
# bcc's memleak (libbpf-tools of Debian 13; Debian 12 has none) in a private folder with its own C library, for
# memory.py: nothing is installed on the machine.
#
#   memleak.sh DIR      DIR/memleak is then the program. Needs root, apt, dpkg-deb and a Debian mirror.
set -eu

dir=$1
packages='libbpf-tools libc6 libelf1t64 zlib1g libzstd1'
[ ! -x "$dir/memleak" ] || exit 0

# shellcheck disable=SC2016 # apt's own variable
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | head -n 1)
[ -n "$mirror" ] || { echo "memleak.sh: apt knows no mirror here: run apt-get update" >&2; exit 1; }
state=$dir/.apt
rm -rf "$state" "$dir/root"
mkdir -p "$state/lists/partial" "$state/cache/archives/partial" "$dir/root"
: > "$state/status"
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" > "$state/sources.list"
cat > "$state/apt.conf" << CONF
Dir::Etc::sourcelist "$state/sources.list"; Dir::Etc::sourceparts "/dev/null"; Dir::Etc::main "/dev/null";
Dir::Etc::parts "/dev/null"; Dir::Etc::preferencesparts "/dev/null"; Dir::State "$state";
Dir::State::lists "$state/lists"; Dir::State::status "$state/status"; Dir::Cache "$state/cache";
APT::Sandbox::User "root"; Acquire::Languages "none"; Acquire::Retries "3";
CONF
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
