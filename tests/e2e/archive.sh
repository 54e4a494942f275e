# shellcheck shell=sh
# Debian's archive, read by an apt of its own: nothing is installed on the machine, whatever suite is asked for.
#
# Sourced by fleet.sh, tests/vm/kernels.sh and bench/memleak.sh, which define say(). Needs root, apt and a Debian mirror:
# the one this machine uses.

keyring=/usr/share/keyrings/debian-archive-keyring.gpg

retry() { # COMMAND...
  for attempt in 1 2 3; do
    "$@" && return 0
    say "attempt $attempt failed: $*"
  done
  return 1
}

find_mirror() {
  # shellcheck disable=SC2016 # apt's own variable
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | head -n 1)
  [ -n "$mirror" ] || { say "apt knows no mirror here: run apt-get update"; exit 1; }
}

# Lists, cache and an empty status file of its own, so that it knows nothing of this machine.
write_apt_config() { # STATE SUITE
  mkdir -p "$1/lists/partial" "$1/cache/archives/partial" "$1/state"
  : > "$1/status"
  echo "deb [signed-by=$keyring] $mirror $2 main" > "$1/sources.list"
  # Check-Valid-Until: a testing Release file is valid for a week only, and clocks of build machines drift.
  cat > "$1/apt.conf" <<CONF
Dir::Etc::sourcelist "$1/sources.list"; Dir::Etc::sourceparts "/dev/null"; Dir::Etc::main "/dev/null";
Dir::Etc::parts "/dev/null"; Dir::Etc::preferencesparts "/dev/null"; Dir::State "$1/state";
Dir::State::lists "$1/lists"; Dir::State::status "$1/status"; Dir::Cache "$1/cache";
APT::Sandbox::User "root"; APT::Install-Recommends "false"; Acquire::Languages "none";
Acquire::Check-Valid-Until "false"; Acquire::Retries "3";
CONF
}
