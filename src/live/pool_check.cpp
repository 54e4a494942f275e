#include "live/pool_check.h"

#include <fmt/format.h>
#include <cstdlib>

namespace asyncleak::live {

namespace {

// Fewer tell nothing: an idle program would agree with any count.
constexpr std::int64_t enough_events = 5000;
// realloc() of a block from before the probes counts as one that came. A build whose callers have copies of the
// allocator shows 13 to 22 % of the calls (CPYTHON.md section 6).
constexpr double tolerated_share = 0.1;
constexpr std::int64_t tolerated_blocks = 200;

std::int64_t net_of(const al_memory& memory) {
  return static_cast<std::int64_t>(memory.small_born - memory.small_freed - memory.small_unknown);
}
std::int64_t events_of(const al_memory& memory) {
  return static_cast<std::int64_t>(memory.small_born + memory.small_freed + memory.small_unknown);
}

}  // namespace

Result<PoolCheck::Moment> PoolCheck::read(const Counted& counted) {
  reader_->refresh();
  const al_memory before = counted();
  const auto pools = census::read_pymalloc(reader_->heap(), variables_);
  const al_memory after = counted();
  if (!pools) return fail(pools.error());
  return Moment{static_cast<std::int64_t>(pools->blocks), (net_of(before) + net_of(after)) / 2,
                events_of(after) - events_of(before) + static_cast<std::int64_t>(pools->pools_missed),
                events_of(after)};
}

Result<PoolCheck> PoolCheck::begin(const probe::KnownProcess& process, const Counted& counted) {
  auto reader = ProcessReader::open(process);
  if (!reader) return fail(reader.error());
  PoolCheck check(std::move(*reader));
  const auto first = check.read(counted);
  if (!first) return fail(first.error());
  check.first_ = *first;
  return check;
}

PoolCheck::Verdict PoolCheck::look(const Counted& counted) {
  if (events_of(counted()) - first_.events < enough_events) return Verdict::undecided;  // the walk is the dear part
  const auto now = read(counted);
  if (!now) return Verdict::undecided;
  const auto in_pools = now->in_pools - first_.in_pools;
  const auto by_probes = now->counted - first_.counted;
  const auto tolerated = tolerated_blocks + first_.unsure + now->unsure +
                         static_cast<std::int64_t>(tolerated_share * static_cast<double>(now->events - first_.events));
  if (std::abs(in_pools - by_probes) <= tolerated) return Verdict::agrees;
  finding_ = fmt::format(
      "small blocks cannot be counted: by the probes their number changed by {:+}, by Python's pools by {:+}",
      by_probes, in_pools);
  return Verdict::disagrees;
}

}  // namespace asyncleak::live
