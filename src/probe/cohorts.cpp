#include "probe/cohorts.h"

#include <algorithm>

namespace asyncleak::probe {

namespace {

struct Slot {
  std::int64_t from, to;
  std::uint64_t count;
};

int shift_of(int level) { return AL_COHORT_SHIFT + level * AL_COHORT_LEVEL_SHIFT; }

// The valid slots of one ring, youngest first.
std::vector<Slot> read_ring(const al_site& site, int level, std::int64_t now_ns) {
  std::vector<Slot> slots;
  const int shift = shift_of(level);
  const std::int64_t newest = now_ns >> shift;
  for (std::int64_t epoch = newest; epoch > newest - AL_COHORT_SLOTS && epoch >= 0; epoch--) {
    const std::uint64_t word = site.cohorts[level][epoch & (AL_COHORT_SLOTS - 1)];
    const auto tag = static_cast<std::uint32_t>(word >> 32);
    const auto count = static_cast<std::uint32_t>(word);
    if (tag == static_cast<std::uint32_t>(epoch) && count > 0) {
      slots.push_back({epoch << shift, (epoch + 1) << shift, count});
    }
  }
  return slots;
}

// Tasks of the cohorts so far that were born in [from, to).
std::uint64_t counted_between(const std::vector<Cohort>& cohorts, std::int64_t from, std::int64_t to) {
  std::uint64_t sum = 0;
  for (const auto& cohort : cohorts) {
    if (cohort.born_from_ns >= from && cohort.born_to_ns <= to) sum += cohort.count;
  }
  return sum;
}

// COUNT tasks into the finest slot of NOW_NS. Cohorts are youngest first.
void add_youngest(std::vector<Cohort>& cohorts, std::int64_t now_ns, std::uint64_t count) {
  const std::int64_t from = now_ns >> AL_COHORT_SHIFT << AL_COHORT_SHIFT;
  if (cohorts.empty() || cohorts.front().born_from_ns != from) {
    cohorts.insert(cohorts.begin(), {from, now_ns, 0});
  }
  cohorts.front().count += count;
}

}  // namespace

std::vector<Cohort> disjoint_cohorts(const al_site& site, std::int64_t now_ns, std::int64_t oldest_ns,
                                     std::uint64_t outstanding) {
  std::vector<Cohort> cohorts;  // youngest first while building
  std::uint64_t left = outstanding;
  std::int64_t covered_from = INT64_MAX;  // everything born from here on is in a finer ring
  const auto add = [&](std::int64_t from, std::int64_t to, std::uint64_t count) {
    count = std::min(count, left);
    if (count == 0) return;
    left -= count;
    cohorts.push_back({from, to, count});
  };
  for (int level = 0; level < AL_COHORT_LEVELS && left > 0; level++) {
    for (const auto& slot : read_ring(site, level, now_ns)) {
      if (slot.to <= covered_from) {
        add(slot.from, slot.to, slot.count);
      } else if (slot.from < covered_from) {  // straddles: the finer ring has its younger part
        const std::uint64_t known = counted_between(cohorts, covered_from, slot.to);
        if (slot.count > known) add(slot.from, covered_from, slot.count - known);
      }
    }
    const int shift = shift_of(level);
    covered_from = std::max<std::int64_t>(0, (now_ns >> shift) - AL_COHORT_SLOTS + 1) << shift;
  }
  if (oldest_ns < covered_from) {
    add(oldest_ns, covered_from, left);
  } else if (left > 0) {
    add_youngest(cohorts, now_ns, left);
  }
  std::reverse(cohorts.begin(), cohorts.end());
  for (auto& cohort : cohorts) cohort.born_to_ns = std::min(cohort.born_to_ns, now_ns);
  return cohorts;
}

}  // namespace asyncleak::probe
