#include "probe/environment.h"

#include "probe/attachment.h"
#include "probe/mmap_watch.h"
#include "probe/privileges.h"
#include "util/handle.h"

#include <fmt/format.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

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

// In another PID namespace than the machine's own (include/linux/proc_ns.h, PROC_PID_INIT_INO) /proc has other numbers
// than the kernel side sees, and not every process.
Check check_pid_namespace() {
  constexpr const char* link = "/proc/self/ns/pid";
  std::error_code error;
  const auto name = std::filesystem::read_symlink(link, error);
  if (error) return {"PIDs", false, system_error(link, error.value()).message, "mount /proc"};
  if (name == "pid:[4026531836]") return {"PIDs", true, "those of the machine", ""};
  return {"PIDs", false, fmt::format("in a PID namespace of its own ({})", name.native()),
          "run it with the machine's: hostPID: true in Kubernetes, docker run --pid=host"};
}

Check check_privileges() {
  const std::string missing = missing_privileges();
  if (missing.empty()) return {"privileges", true, geteuid() == 0 ? "root" : "capabilities", ""};
  return {"privileges", false, "missing " + missing, how_to_grant("what is missing")};
}

// Not needed for most processes.
Check check_reach() {
  const std::string missing = missing_for_every_file();
  if (missing.empty()) return {"reach", true, "every program's file", ""};
  return {"reach", true, fmt::format("not programs in closed directories or replaced since: missing {}", missing), ""};
}

// By trying, as no file says what a kernel asks for: opens, and closes, a uprobe on a page of ours that is never
// executed. Where many probes share a link (Linux 6.10) CAP_BPF and CAP_PERFMON do; else kernels with the fix of
// CVE-2025-38466 ask for CAP_SYS_ADMIN.
Check check_permission() {
  if (attaches_many()) return {"attaching", true, "uprobes can be attached, many at once", ""};
  std::ifstream source(uprobe_event_source);
  std::uint32_t type = 0;
  source >> type;
  perf_event_attr attributes{};
  attributes.size = sizeof(attributes);
  attributes.type = type;
  attributes.disabled = 1;
  attributes.config1 = reinterpret_cast<std::uint64_t>("/proc/self/exe");  // uprobe_path
  attributes.config2 = 0;                                                  // probe_offset: the ELF header
  const RaisedPrivileges raised;
  const Fd event(static_cast<int>(syscall(SYS_perf_event_open, &attributes, getpid(), -1, -1, PERF_FLAG_FD_CLOEXEC)));
  if (event) return {"attaching", true, "a uprobe can be opened", ""};
  constexpr const char* what = "a uprobe cannot be opened: perf_event_open";
  const int code = errno;
  if (!missing_privileges().empty()) {
    return {"attaching", false, system_error(what, code).message, how_to_grant("what is missing")};
  }
  const Error error = refused(what, code, "CAP_SYS_ADMIN", "uprobes");
  return {"attaching", false, error.message, error.advice};
}

Check check_events() {
  const auto watch = MmapWatch::make();
  if (watch) return {"events", true, "new processes are heard of at once", ""};
  return {"events", false, watch.error().message, watch.error().advice};
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
  checks.push_back(check_reach());
  checks.push_back(check_permission());
  checks.push_back(check_events());
  return checks;
}

std::vector<Check> check_environment() {
  return {check_kernel(), check_btf(), check_uprobes(), check_pid_namespace(), check_privileges(), check_lockdown()};
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
