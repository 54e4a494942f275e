// Which service, container and pod a process belongs to, by the path of its control group. Pure functions.
//
// Used by process_names.cpp. The names in a path are whatever whoever made the groups chose: a unit and a pod's
// uid can be forged by who may make groups (root, or the owner of a delegated one), never by the process alone.
// Opens nothing.
#pragma once

#include <string>
#include <string_view>

namespace asyncleak::python {

// Empty: not known, or none.
struct CgroupNames {
  std::string unit;       // as systemctl shows it, "\x2d" included: of a user's manager the user's own unit
  std::string container;  // the first 12 hex digits of an id, or the name of what has one (LXC, nspawn, Flatpak)
  std::string runtime;    // "docker", "containerd", "cri-o", "podman", "lxc", "systemd-nspawn", ...
  std::string pod_uid;    // with its dashes, whichever way the path had it
};

// TEXT of /proc/PID/cgroup, versions 1, 2 and both.
[[nodiscard]] CgroupNames parse_cgroup(std::string_view text);

}  // namespace asyncleak::python
