#include "model/allocation_state.h"

#include <algorithm>

namespace asyncleak {
namespace {

// Blocks from before the attach are not known, so that a site which keeps a constant volume seems to grow until it has
// replaced them: a little more patience than with tasks.
VerdictPolicy policy_of_bytes() {
  VerdictPolicy policy;
  policy.growing_min_s = 20;
  policy.growing_steps = policy.leak_steps;
  policy.leak_min_s = 45;
  policy.min_rise = 64 << 10;
  return policy;
}

// Bytes as if each were a task, for what judges births and survival.
SiteSample as_counts(const SiteAllocations& allocations, std::int64_t since_ns, std::int64_t last_ns) {
  SiteSample counts;
  counts.created_total = allocations.allocated_bytes;
  counts.destroyed_total = allocations.freed_bytes;
  counts.outstanding = allocations.bytes;
  counts.first_seen_ns = since_ns;
  counts.last_created_ns = last_ns;
  counts.cohorts.reserve(allocations.cohorts.size());
  for (const ByteCohort& cohort : allocations.cohorts) {
    counts.cohorts.push_back({cohort.born_from_ns, cohort.born_to_ns, cohort.bytes});
  }
  return counts;
}

}  // namespace

void AllocationState::update(SiteRow& row, const SiteSample& site, const ProcessSample* process,
                             const Interval& interval) {
  static const VerdictPolicy policy = policy_of_bytes();
  const bool dated = process != nullptr && process->allocations;
  const std::int64_t since_ns = dated ? process->allocations->since_ns : since_ns_;
  if (since_ns != since_ns_) {
    const std::uint64_t update = last_update;
    *this = {};
    last_update = update;
    since_ns_ = since_ns;
  }
  SiteAllocations& allocations = row.allocations.emplace(*site.allocations);
  for (ByteCohort& cohort : allocations.cohorts) cohort.born_from_ns = std::max(cohort.born_from_ns, since_ns_);
  if (allocations.allocated_bytes != allocated_bytes_) last_allocated_ns_ = interval.now_ns;
  allocated_bytes_ = allocations.allocated_bytes;
  history_.add(interval.now_s, static_cast<double>(allocations.bytes));

  const SiteSample counts = as_counts(allocations, since_ns_, last_allocated_ns_);
  const Judgement judgement = judge(history_, counts, interval.now_ns, verdict_, policy);
  verdict_ = judgement.verdict;
  trend_ = judgement.trend;
  row.allocated_bytes = allocations.bytes;
  row.allocated_verdict = verdict_;
  if (trend_) row.allocated_growth_per_min = trend_->growth_per_min;
  if (site.identity->blocks) row.verdict = verdict_;
}

std::optional<Finding> AllocationState::finding(const SiteRow& row, const Interval& interval) {
  const auto since = standing_.update(verdict_ >= Verdict::growing && trend_.has_value(), interval.now_s);
  if (!since) return std::nullopt;
  const double watched_s = static_cast<double>(interval.now_ns - since_ns_) / 1e9;
  constexpr double minute_s = 60;
  return allocation_growth(row, {*trend_, std::min(minute_s, watched_s / 2), interval.now_ns, *since});
}

}  // namespace asyncleak
