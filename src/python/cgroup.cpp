#include "python/cgroup.h"

#include "python/proc_text.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

namespace asyncleak::python {
namespace {

constexpr std::size_t container_digits = 64;
constexpr std::size_t shown_container_digits = 12;

bool all_hex(std::string_view text) {
  return std::ranges::all_of(text, [](unsigned char c) { return std::isxdigit(c) != 0; });
}

bool cut_suffix(std::string_view& text, std::string_view suffix) {
  if (!text.ends_with(suffix)) return false;
  text.remove_suffix(suffix.size());
  return true;
}

bool cut_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

// systemd puts '_' before a unit whose name the kernel could take for a file of its own: "_cpu.service"
// (src/basic/cgroup-util.c, cg_needs_escape()).
std::string_view without_escape(std::string_view component) {
  cut_prefix(component, "_");
  return component;
}

// "foo\x2dbar" of a unit's name to what it was made from (systemd: src/basic/unit-name.c, unit_name_unescape()).
std::string unescaped(std::string_view name) {
  constexpr std::size_t escape_size = 4;
  std::string text;
  while (!name.empty()) {
    const bool escaped = name.starts_with("\\x") && name.size() >= escape_size;
    const auto code = escaped ? number(name.substr(2, 2), 16) : std::nullopt;
    text += code ? static_cast<char>(*code) : name.front();
    name.remove_prefix(code ? escape_size : 1);
  }
  return text;
}

struct Container {
  std::string id, runtime;
  bool keeps_unit = false;  // the unit is its own, not that of a daemon which starts many
};

// What stands before the digits of an id.
struct IdPrefix {
  std::string_view prefix, runtime;
  bool keeps_unit = false;  // as above
};
constexpr std::array id_prefixes =
    {
        IdPrefix{"docker", "docker"},
        IdPrefix{"cri-containerd", "containerd"},
        IdPrefix{"nerdctl", "containerd"},
        IdPrefix{"crio", "cri-o"},
        IdPrefix{"crio-conmon", "cri-o"},
        IdPrefix{"libpod", "podman"},
        IdPrefix{"libpod-conmon", "podman"},
        IdPrefix{"libpod-payload", "podman", true},  // --cgroups=split: in the group of the service that called podman
};

// "docker-<64 hex>.scope", "crio-<64 hex>", "SLICE:cri-containerd:<64 hex>", "<64 hex>".
std::optional<Container> by_id(std::string_view component, std::string_view parent) {
  cut_suffix(component, ".scope");
  if (component.size() < container_digits) return std::nullopt;
  const std::string_view id = component.substr(component.size() - container_digits);
  std::string_view before = component.substr(0, component.size() - container_digits);
  if (!all_hex(id) || (!before.empty() && before.back() != '-' && before.back() != ':')) return std::nullopt;
  if (!before.empty()) before.remove_suffix(1);
  before = before.substr(before.rfind(':') + 1);
  Container found{std::string(id.substr(0, shown_container_digits)), {}};
  if (before.empty() && parent == "docker") before = parent;
  const auto known = std::ranges::find(id_prefixes, before, &IdPrefix::prefix);
  if (known != id_prefixes.end()) {
    found.runtime = known->runtime;
    found.keeps_unit = known->keeps_unit;
  }
  return found;
}

// systemd's machines: "machine-web.scope", "systemd-nspawn@web.service"; libvirt's are
// "machine-lxc\x2d12\x2dweb.scope", and virtual machines "machine-qemu\x2d...", whose processes are not theirs.
std::optional<Container> machine(std::string_view component, std::string_view parent) {
  if (parent != "machine.slice") return std::nullopt;
  if (cut_prefix(component, "systemd-nspawn@") && cut_suffix(component, ".service")) {
    return Container{unescaped(component), "systemd-nspawn"};
  }
  if (!cut_prefix(component, "machine-") || !cut_suffix(component, ".scope")) return std::nullopt;
  std::string name = unescaped(component);
  if (name.starts_with("qemu-")) return std::nullopt;
  if (!name.starts_with("lxc-")) return Container{std::move(name), "systemd-nspawn"};
  return Container{name.substr(name.find('-', 4) + 1), "libvirt-lxc"};
}

// LXC, LXD and Incus: "lxc.payload.web", "lxc.payload/web" and, of before LXC 4, "lxc/web".
std::optional<Container> lxc(std::string_view component, std::string_view parent) {
  const bool named = cut_prefix(component, "lxc.payload.") || parent == "lxc.payload" || parent == "lxc";
  if (!named || component.empty()) return std::nullopt;
  return Container{std::string(component), "lxc"};
}

// "app-flatpak-org.example.App-4711.scope".
std::optional<Container> flatpak(std::string_view component) {
  if (!cut_prefix(component, "app-flatpak-") || !cut_suffix(component, ".scope")) return std::nullopt;
  return Container{unescaped(component.substr(0, component.rfind('-'))), "flatpak", true};
}

std::optional<Container> container_in(std::string_view component, std::string_view parent) {
  if (auto found = by_id(component, parent)) return found;
  if (auto found = machine(component, parent)) return found;
  if (auto found = lxc(component, parent)) return found;
  return flatpak(component);
}

// A UUID, or the hash that a static pod has instead, 32 digits; systemd's slices have '_' for '-', which divides there.
std::string uid_of_pod(std::string_view text) {
  std::string uid(text);
  std::ranges::replace(uid, '_', '-');
  constexpr std::array dashes = {8U, 13U, 18U, 23U};
  constexpr std::size_t uuid_size = 36, hash_size = 32;
  const bool uuid = uid.size() == uuid_size && std::ranges::all_of(dashes, [&](auto at) { return uid[at] == '-'; });
  std::string digits = uid;
  std::erase(digits, '-');
  return (uuid || uid.size() == hash_size) && digits.size() == hash_size && all_hex(digits) ? uid : std::string();
}

// "pod<uid>", "kubepods-burstable-pod<uid>.slice", and the latter with ":cri-containerd:<id>" behind.
std::string pod_in(std::string_view component) {
  component = component.substr(0, component.find(':'));
  const bool slice = cut_suffix(component, ".slice");
  const std::size_t dash = slice ? component.rfind('-') : std::string_view::npos;
  component = dash == std::string_view::npos ? component : component.substr(dash + 1);
  return cut_prefix(component, "pod") ? uid_of_pod(component) : std::string();
}

bool is_unit(std::string_view component) {
  return component.ends_with(".service") || component.ends_with(".scope") || component.ends_with(".socket") ||
         component.ends_with(".mount") || component.ends_with(".swap");
}

// As systemd: the first unit below the slices is whose processes these are, whatever groups it makes below itself
// (src/basic/cgroup-util.c, cg_path_get_unit()); a user's manager is such a unit, and has units of its own.
CgroupNames names_in(std::string_view path) {
  cut_suffix(path, " (deleted)");  // a group that is gone: kernel/cgroup/cgroup.c, proc_cgroup_show()
  CgroupNames names;
  std::string_view parent;
  while (!path.empty()) {
    const std::string_view component = take(path, '/');
    if (auto pod = pod_in(component); !pod.empty()) names = {{}, {}, {}, std::move(pod)};
    auto container = container_in(component, parent);
    const bool outermost = names.unit.empty() || names.unit.starts_with("user@");
    if (container && !container->keeps_unit) names.unit.clear();
    const std::string_view unit = without_escape(component);
    const bool counts = !container || container->keeps_unit;
    if (counts && outermost && is_unit(unit)) names.unit = unit;
    if (container) {
      names.container = std::move(container->id);
      names.runtime = std::move(container->runtime);
    }
    const bool alone = names.unit.empty() && names.container.empty() && names.pod_uid.empty();
    if (alone && path.empty() && unit.ends_with(".slice")) names.unit = unit;
    parent = component;
  }
  return names;
}

// Where the two know different things the later one fills the gaps.
void complete(CgroupNames& names, CgroupNames&& more) {
  if (names.container.empty()) {
    names.container = std::move(more.container);
    names.runtime = std::move(more.runtime);
  }
  if (names.pod_uid.empty()) names.pod_uid = std::move(more.pod_uid);
}

}  // namespace

CgroupNames parse_cgroup(std::string_view text) {
  // Version 2 is "0::PATH"; with version 1 every controller has a line, and systemd's own is "name=systemd". A name in
  // it holds no newline (kernel/cgroup/cgroup.c, cgroup_mkdir()).
  CgroupNames names;
  std::string of_controllers;
  while (!text.empty()) {
    std::string_view line = take(text, '\n');
    take(line, ':');
    const std::string_view controllers = take(line, ':');
    CgroupNames found = names_in(line);
    std::string& unit = controllers.empty() || controllers == "name=systemd" ? names.unit : of_controllers;
    if (unit.empty()) unit = std::move(found.unit);
    complete(names, std::move(found));
  }
  if (names.unit.empty()) names.unit = std::move(of_controllers);
  return names;
}

}  // namespace asyncleak::python
