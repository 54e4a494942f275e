// The capabilities this program works with: which are missing and what for, dropping the others, and raising those
// that only attaching asks for while it attaches. The table in docs/least-privilege.md says the same with reasons.
//
// Used by the rest of this folder and src/cli at start. Knows what each is for, not what is watched.
#pragma once

#include "util/result.h"

#include <memory>
#include <string>
#include <string_view>

namespace asyncleak::probe {

// "CAP_BPF (loading BPF programs), CAP_PERFMON (...)"; empty: nothing that every kernel asks for is missing. What is
// permitted counts, and CAP_SYS_ADMIN stands in for the two above, as the kernel has it.
[[nodiscard]] std::string missing_privileges();
// What is missing to reach the files of every program: those in closed directories, and those that were replaced since.
[[nodiscard]] std::string missing_for_every_file();

// What a user has to do about a missing one; NAMES: as cap_from_text(3) takes them.
[[nodiscard]] std::string how_to_grant(const std::string& names);

// What the kernel answered with CODE. Where that speaks of permission: CAPABILITY is missing, which this kernel wants
// for PURPOSE; kind unobservable.
[[nodiscard]] Error refused(std::string_view what, int code, std::string_view capability, std::string_view purpose);

// For good, for this thread and those it will start: all others are given up, also for what would be executed, no new
// ones can be gained, and those for attaching are not in effect. For root its power over other users' files is
// kept, to write where it is told to, and to pass signals on to the command of `run`, whoever that has become.
[[nodiscard]] Result<void> give_up_privileges();

// In effect again, as far as permitted, while this lives: loading programs, creating maps, attaching.
class RaisedPrivileges {
 public:
  RaisedPrivileges();
  RaisedPrivileges(const RaisedPrivileges&) = delete;
  RaisedPrivileges& operator=(const RaisedPrivileges&) = delete;
  ~RaisedPrivileges();

 private:
  struct Before;
  std::unique_ptr<Before> before_;
};

}  // namespace asyncleak::probe
