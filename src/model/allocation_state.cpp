#include "model/allocation_state.h"

#include <algorithm>

namespace asyncleak {
namespace {

// Blocks from before the attach are not known, so that a site which keeps a constant volume seems to grow until it has
// replaced them: a little more patience than with tasks.
VerdictPolicy policy_of_bytes() {
  VerdictPolicy policy;
  policy.growing_min_s = 20;
  policy.growing_steps = 4;
  policy.leak_min_s = 44.5;
  policy.leak_span_s = 40;
  return policy;
}

// What counts as one object: a block of the mean size, but growth by less than 64 KiB, or three, is not worth a word.
double unit_of(const SiteAllocations& allocations) {
  constexpr double least = 22 << 10;
  const auto blocks = static_cast<double>(std::max<std::uint64_t>(1, allocations.blocks));
  return std::max(least, static_cast<double>(allocations.bytes) / blocks);
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
  survivors_.update(counts, interval.now_ns);
  const double watched_s = static_cast<double>(interval.now_ns - since_ns_) / 1e9;
  const Population population{history_, counts, interval.now_ns,     watched_s, &survivors_.table(),
                              nullptr,  1,      unit_of(allocations)};
  const Judgement judgement = judge(population, standpoint_, policy);
  trend_ = judgement.trend;
  row.allocated_bytes = allocations.bytes;
  row.allocated_verdict = judgement.verdict;
  if (trend_) row.allocated_growth_per_min = trend_->growth_per_min;
  if (!site.identity->blocks) return;
  row.verdict = judgement.verdict;
  row.confidence = judgement.confidence;
}

std::optional<Finding> AllocationState::finding(const SiteRow& row, const Interval& interval) {
  const auto since = standing_.update(standpoint_.verdict >= Verdict::growing && trend_.has_value(), interval.now_s);
  if (!since) return std::nullopt;
  const double watched_s = static_cast<double>(interval.now_ns - since_ns_) / 1e9;
  constexpr double minute_s = 60;
  return allocation_growth(row, {*trend_, std::min(minute_s, watched_s / 2), interval.now_ns, *since});
}

}  // namespace asyncleak
