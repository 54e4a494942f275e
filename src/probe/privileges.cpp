#include "probe/privileges.h"

#include "probe/attachment.h"

#include <fmt/format.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <type_traits>
#include <vector>

namespace asyncleak::probe {

namespace {

// include/uapi/linux/capability.h, 5.9: newer than some libc headers we are built with.
constexpr cap_value_t checkpoint_restore = 40;

struct Need {
  cap_value_t capability;
  const char* name;
  const char* purpose;
};
constexpr std::array needs{Need{CAP_BPF, "CAP_BPF", "loading BPF programs"},
                           Need{CAP_PERFMON, "CAP_PERFMON", "tracing programs, and events of all processes"},
                           Need{CAP_SYS_PTRACE, "CAP_SYS_PTRACE", "reading other users' processes"}};

constexpr std::array for_attaching{CAP_BPF, CAP_PERFMON, CAP_SYS_ADMIN};
constexpr std::array for_looking{cap_value_t{CAP_SYS_PTRACE}, checkpoint_restore, cap_value_t{CAP_DAC_READ_SEARCH}};

struct FreeCapabilities {
  void operator()(cap_t set) const { cap_free(set); }
};
using Capabilities = std::unique_ptr<std::remove_pointer_t<cap_t>, FreeCapabilities>;

bool has(const Capabilities& set, cap_value_t capability, cap_flag_t flag = CAP_PERMITTED) {
  cap_flag_value_t value = CAP_CLEAR;
  return set != nullptr && cap_get_flag(set.get(), capability, flag, &value) == 0 && value == CAP_SET;
}

void add(Capabilities& set, cap_flag_t flag, const std::vector<cap_value_t>& values) {
  cap_set_flag(set.get(), flag, static_cast<int>(values.size()), values.data(), CAP_SET);
}

// Of those in WANTED, what HELD permits.
template <class Wanted>
void append_held(std::vector<cap_value_t>& out, const Capabilities& held, const Wanted& wanted) {
  std::ranges::copy_if(wanted, std::back_inserter(out), [&](auto each) { return has(held, each); });
}

// The kernels of Debian and Ubuntu open no perf event at all without CAP_SYS_ADMIN where this is above 2, which is
// their default ("security,perf: Allow further restriction of perf_event_open"); to others it means no more than 2.
bool restricts_perf_events() {
  std::ifstream file("/proc/sys/kernel/perf_event_paranoid");
  int level = 0;
  return file >> level && level > 2;
}

// Where one link takes many probes the kernel asks for CAP_BPF and CAP_PERFMON (kernel/trace/bpf_trace.c,
// bpf_uprobe_multi_link_attach); a probe through perf_event_open wants CAP_SYS_ADMIN since CVE-2025-38466
// (kernel/events/core.c, perf_uprobe_event_init). It stands in for the others, too, where those are not held.
bool needs_admin(const Capabilities& held) {
  return !attaches_many() || restricts_perf_events() || !has(held, CAP_BPF) || !has(held, CAP_PERFMON) ||
         !has(held, checkpoint_restore);
}

// What could come back by execve(2). Only root, or CAP_SETPCAP, may empty the bounding set.
void empty_the_other_sets(const Capabilities& held) {
  cap_reset_ambient();
  if (!has(held, CAP_SETPCAP, CAP_EFFECTIVE)) return;
  for (cap_value_t each = 0; each < cap_max_bits(); each++) cap_drop_bound(each);
}

}  // namespace

std::string missing_privileges() {
  const Capabilities held(cap_get_proc());
  std::string missing;
  for (const auto& need : needs) {
    const bool implied = need.capability != CAP_SYS_PTRACE && has(held, CAP_SYS_ADMIN);
    if (implied || has(held, need.capability)) continue;
    missing += fmt::format("{}{} ({})", missing.empty() ? "" : ", ", need.name, need.purpose);
  }
  return missing;
}

std::string missing_for_every_file() {
  const Capabilities held(cap_get_proc());
  const bool reads = has(held, CAP_DAC_READ_SEARCH) || has(held, CAP_DAC_OVERRIDE);
  const bool inodes = has(held, checkpoint_restore) || has(held, CAP_SYS_ADMIN);
  if (reads && inodes) return {};
  return fmt::format("{}{}{}", reads ? "" : "CAP_DAC_READ_SEARCH", reads || inodes ? "" : ", ",
                     inodes ? "" : "CAP_CHECKPOINT_RESTORE");
}

Result<void> give_up_privileges() {
  const Capabilities held(cap_get_proc());
  if (!held) return fail(system_error("cap_get_proc", errno));
  std::vector<cap_value_t> kept;
  append_held(kept, held, for_looking);
  if (geteuid() == 0) append_held(kept, held, std::array{CAP_DAC_OVERRIDE, CAP_KILL});
  auto permitted = kept;
  append_held(permitted, held, std::array{CAP_BPF, CAP_PERFMON});
  if (needs_admin(held)) append_held(permitted, held, std::array{CAP_SYS_ADMIN});
  empty_the_other_sets(held);
  Capabilities reduced(cap_init());
  if (!reduced) return fail(system_error("cap_init", errno));
  add(reduced, CAP_PERMITTED, permitted);
  add(reduced, CAP_EFFECTIVE, kept);
  if (cap_set_proc(reduced.get()) != 0) return fail(system_error("giving up capabilities", errno));
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail(system_error("PR_SET_NO_NEW_PRIVS", errno));
  return {};
}

std::string how_to_grant(const std::string& names) {
  return fmt::format("run as root (sudo asyncleak-top), or grant {}: see SECURITY in asyncleak-top(8)", names);
}

Error refused(std::string_view what, int code, std::string_view capability, std::string_view purpose) {
  Error error = system_error(what, code);
  if (code != EACCES && code != EPERM) return error;
  return {fmt::format("missing {}: {}", capability, error.message),
          how_to_grant(fmt::format("{}, which this kernel wants for {}", capability, purpose)),
          ErrorKind::unobservable};
}

struct RaisedPrivileges::Before {
  Capabilities set;
};

RaisedPrivileges::RaisedPrivileges() : before_(new Before{Capabilities(cap_get_proc())}) {
  Capabilities raised(before_->set ? cap_dup(before_->set.get()) : nullptr);
  if (!raised) return;
  std::vector<cap_value_t> values;
  append_held(values, raised, for_attaching);
  add(raised, CAP_EFFECTIVE, values);
  cap_set_proc(raised.get());  // where it is refused, so is what wants them, and that says so
}

RaisedPrivileges::~RaisedPrivileges() {
  if (before_->set) cap_set_proc(before_->set.get());
}

}  // namespace asyncleak::probe
