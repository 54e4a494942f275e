#include "probe/environment.h"

#include "util/handle.h"

#include <fmt/format.h>
#include <linux/capability.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <array>
#include <cerrno>
#include <cstdint>
#include <fstream>
#include <string>

namespace asyncleak::probe {

namespace {

// Maps by need in tracing programs (bpf_mem_alloc) and everything else we use: 6.1.
constexpr int oldest_major = 6;
constexpr int oldest_minor = 1;

constexpr const char* uprobe_event_source = "/sys/bus/event_source/devices/uprobe/type";

Check check_kernel() {
  utsname name{};
  uname(&name);
  int major = 0;
  int minor = 0;
  const bool parsed = std::sscanf(name.release, "%d.%d", &major, &minor) == 2;
  const bool recent = parsed && (major > oldest_major || (major == oldest_major && minor >= oldest_minor));
  return {"kernel", recent, fmt::format("Linux {} {}", name.release, name.machine),
          recent ? "" : fmt::format("needs Linux {}.{} or later", oldest_major, oldest_minor)};
}

Check check_btf() {
  const bool there = access("/sys/kernel/btf/vmlinux", R_OK) == 0;
  return {"BTF", there, there ? "/sys/kernel/btf/vmlinux" : "no /sys/kernel/btf/vmlinux",
          there ? "" : "needs a kernel built with CONFIG_DEBUG_INFO_BTF=y (every Debian kernel since 11 is)"};
}

Check check_uprobes() {
  const bool there = access(uprobe_event_source, R_OK) == 0;
  return {"uprobes", there, there ? "perf event source 'uprobe'" : "no perf event source 'uprobe'",
          there ? "" : "needs a kernel built with CONFIG_UPROBE_EVENTS=y"};
}

std::uint64_t effective_capabilities() {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> data{};
  if (syscall(SYS_capget, &header, data.data()) != 0) return 0;
  return data[0].effective | static_cast<std::uint64_t>(data[1].effective) << 32;
}

Check check_privileges() {
  struct Needed {
    int capability;
    const char* name;
  };
  constexpr std::array needed{Needed{CAP_BPF, "CAP_BPF"}, Needed{CAP_PERFMON, "CAP_PERFMON"},
                              Needed{CAP_SYS_PTRACE, "CAP_SYS_PTRACE"}};
  const auto held = effective_capabilities();
  const auto has = [&](int capability) { return (held >> capability & 1) != 0; };
  std::string missing;
  for (const auto& [capability, name] : needed) {
    const bool implied = capability != CAP_SYS_PTRACE && has(CAP_SYS_ADMIN);
    if (!has(capability) && !implied) missing += std::string(missing.empty() ? "" : ", ") + name;
  }
  if (missing.empty()) return {"privileges", true, geteuid() == 0 ? "root" : "capabilities", ""};
  return {"privileges", false, "missing " + missing, "run as root (sudo asyncleak-top)"};
}

// Opens, and closes, a uprobe on a page of ours that is never executed: kernels since the fix of
// CVE-2025-38466 ask for CAP_SYS_ADMIN, older ones for CAP_PERFMON, and no file says which.
Check check_permission() {
  std::ifstream source(uprobe_event_source);
  std::uint32_t type = 0;
  source >> type;
  perf_event_attr attributes{};
  attributes.size = sizeof(attributes);
  attributes.type = type;
  attributes.disabled = 1;
  attributes.config1 = reinterpret_cast<std::uint64_t>("/proc/self/exe");  // uprobe_path
  attributes.config2 = 0;                                                  // probe_offset: the ELF header
  const Fd event(static_cast<int>(syscall(SYS_perf_event_open, &attributes, getpid(), -1, -1, PERF_FLAG_FD_CLOEXEC)));
  if (event) return {"attaching", true, "a uprobe can be opened", ""};
  return {
      "attaching", false, "a uprobe cannot be opened: " + system_error("perf_event_open", errno).message,
      "run as root, or with CAP_SYS_ADMIN and CAP_SYS_PTRACE (kernels before 2025-07 take CAP_BPF and CAP_PERFMON)"};
}

Check check_lockdown() {
  std::ifstream file("/sys/kernel/security/lockdown");
  std::string modes;
  if (!std::getline(file, modes)) return {"lockdown", true, "none", ""};
  const bool locked = modes.find("[confidentiality]") != std::string::npos;
  return {"lockdown", !locked, modes,
          locked ? "boot without lockdown=confidentiality: it forbids BPF to read memory" : ""};
}

}  // namespace

std::vector<Check> check_thoroughly() {
  auto checks = check_environment();
  checks.push_back(check_permission());
  return checks;
}

std::vector<Check> check_environment() {
  return {check_kernel(), check_btf(), check_uprobes(), check_privileges(), check_lockdown()};
}

Result<void> require_environment() {
  for (const auto& check : check_environment()) {
    if (!check.passed) {
      return fail(fmt::format("{}: {}", check.subject, check.finding), check.advice, ErrorKind::unobservable);
    }
  }
  return {};
}

}  // namespace asyncleak::probe
