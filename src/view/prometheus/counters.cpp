#include "view/prometheus/counters.h"

#include <algorithm>
#include <unordered_set>

namespace asyncleak {
namespace {

SiteCounts counts_of(const SiteRow& row) {
  const auto slow = row.slow_steps ? std::optional(row.slow_steps->count) : std::nullopt;
  return {row.created_total, row.destroyed_total, row.destroyed_pending, slow};
}

}  // namespace

void SiteCounters::begin(const Report& report) {
  std::unordered_set<std::uint32_t> living;
  for (const SiteRow& row : report.sites) living.insert(row.identity->process);
  std::erase_if(seen_, [&](const auto& entry) { return !living.contains(entry.second.process); });
  std::erase_if(of_process_, [&](const auto& entry) { return !living.contains(entry.first); });
}

SiteCounters::Seen& SiteCounters::seen_of(const SiteRow& row) {
  Seen& seen = seen_[row.identity->id];
  seen.process = row.identity->process;
  return seen;
}

SiteCounts SiteCounters::own(const SiteRow& row) {
  Seen& seen = seen_of(row);
  SiteCounts counts = counts_of(row);
  for (std::size_t i = 0; i < site_counters; ++i) {
    if (!counts[i]) continue;
    seen.last[i] = *counts[i];
    *counts[i] -= std::min(*counts[i], seen.elsewhere[i]);
  }
  return counts;
}

void SiteCounters::count(const SiteRow& row, SiteCounts& sink) {
  Seen& seen = seen_of(row);
  const SiteCounts counts = counts_of(row);
  for (std::size_t i = 0; i < site_counters; ++i) {
    if (!counts[i]) continue;
    // Less than before: a replay that went back.
    const std::uint64_t more = *counts[i] - std::min(*counts[i], seen.last[i]);
    seen.last[i] = *counts[i];
    seen.elsewhere[i] += more;
    sink[i] = sink[i].value_or(0) + more;
  }
}

const SiteCounts* SiteCounters::others_of(std::uint32_t process) const {
  const auto found = of_process_.find(process);
  return found != of_process_.end() ? &found->second : nullptr;
}

}  // namespace asyncleak
