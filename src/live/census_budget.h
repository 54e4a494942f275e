// When which process may be looked at, so that all looks together stay within a share of one core.
//
// Used by censuses.cpp. Pure: time and costs are given to it.
#pragma once

#include <sys/types.h>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace asyncleak::live {

class CensusBudget {
 public:
  // PERCENT of one core; 0: never.
  explicit CensusBudget(double percent) : share_(percent / 100) {}

  // PID has come while we watch: it waits as if it had just been looked at, at the mean cost. Nothing is missed, as it
  // has no tasks from before; and a short-lived one need not be looked at.
  void met(pid_t pid, std::int64_t now_ns);
  // Which of LIVING to look at now: one never looked at nor met before any other, then the one whose last look is
  // oldest; nullopt when none is due. One that was just looked at waits cost / share, and so do all together, first
  // looks apart; what they did not use is theirs for a second.
  [[nodiscard]] std::optional<pid_t> next(const std::vector<pid_t>& living, std::int64_t now_ns) const;
  void spent(pid_t pid, std::int64_t now_ns, std::int64_t cpu_ns);
  void forget(pid_t pid) { looks_.erase(pid); }

 private:
  struct Look {
    std::int64_t at_ns = 0;
    std::int64_t due_ns = 0;
  };
  [[nodiscard]] std::int64_t pause_after(std::int64_t cpu_ns) const;
  double share_;
  std::int64_t spent_ns_ = 0, looked_ = 0;  // by all looks
  std::int64_t free_from_ns_ = 0;           // the share is used up until then
  std::map<pid_t, Look> looks_;
};

}  // namespace asyncleak::live
