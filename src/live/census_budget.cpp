#include "live/census_budget.h"

#include <algorithm>

namespace asyncleak::live {
namespace {

// What was not used of the share in that time may be used at once: refreshes come a second apart, and of many processes
// each would have to wait for a refresh of its own.
constexpr std::int64_t saved_ns = 1'000'000'000;

}  // namespace

std::optional<pid_t> CensusBudget::next(const std::vector<pid_t>& living, std::int64_t now_ns) const {
  if (share_ <= 0) return std::nullopt;
  std::optional<pid_t> chosen;
  std::int64_t oldest = 0;
  for (const pid_t pid : living) {
    const auto look = looks_.find(pid);
    // The first look seeds what existed before the probes: it is part of attaching, not of watching.
    if (look == looks_.end()) return pid;
    if (now_ns < free_from_ns_ || now_ns < look->second.due_ns) continue;
    if (chosen && look->second.at_ns >= oldest) continue;
    chosen = pid;
    oldest = look->second.at_ns;
  }
  return chosen;
}

std::int64_t CensusBudget::pause_after(std::int64_t cpu_ns) const {
  return share_ > 0 ? static_cast<std::int64_t>(static_cast<double>(cpu_ns) / share_) : 0;
}

void CensusBudget::met(pid_t pid, std::int64_t now_ns) {
  const auto mean = looked_ > 0 ? spent_ns_ / looked_ : 0;
  looks_.try_emplace(pid, Look{now_ns, now_ns + pause_after(mean)});
}

void CensusBudget::spent(pid_t pid, std::int64_t now_ns, std::int64_t cpu_ns) {
  const auto pause = pause_after(cpu_ns);
  spent_ns_ += cpu_ns;
  looked_++;
  const bool first = !looks_.contains(pid);
  looks_[pid] = {now_ns, now_ns + pause};
  // First looks are part of attaching: fifty processes that are there from the start would else be blind for a minute.
  if (!first) free_from_ns_ = std::max(free_from_ns_, now_ns - saved_ns) + pause;
}

}  // namespace asyncleak::live
