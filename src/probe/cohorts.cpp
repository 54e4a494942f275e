#include "probe/cohorts.h"

#include <algorithm>

namespace asyncleak::probe {

namespace {

struct Slot {
  std::int64_t from, to;
  std::uint64_t count;
};

// How a kind of ring keeps what: levels of slots, each coarser by a power of two; a word is epoch | count.
struct Rings {
  const __u64* words;  // levels * slots
  int levels, slots;
  int first_shift, level_shift;  // of nanoseconds to epochs
  int count_bits;
  [[nodiscard]] int shift_of(int level) const { return first_shift + level * level_shift; }
};

// The valid slots of one ring, youngest first.
std::vector<Slot> read_ring(const Rings& rings, int level, std::int64_t now_ns) {
  std::vector<Slot> slots;
  const int shift = rings.shift_of(level);
  const std::int64_t newest = now_ns >> shift;
  const std::uint64_t count_mask = (std::uint64_t{1} << rings.count_bits) - 1;
  const std::uint64_t epoch_mask = ~std::uint64_t{0} >> rings.count_bits;
  for (std::int64_t epoch = newest; epoch > newest - rings.slots && epoch >= 0; epoch--) {
    const std::uint64_t word = rings.words[std::int64_t{level} * rings.slots + (epoch & (rings.slots - 1))];
    const std::uint64_t count = word & count_mask;
    if (word >> rings.count_bits == (static_cast<std::uint64_t>(epoch) & epoch_mask) && count > 0) {
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
void add_youngest(std::vector<Cohort>& cohorts, const Rings& rings, std::int64_t now_ns, std::uint64_t count) {
  const std::int64_t from = now_ns >> rings.first_shift << rings.first_shift;
  if (cohorts.empty() || cohorts.front().born_from_ns != from) {
    cohorts.insert(cohorts.begin(), {from, now_ns, 0});
  }
  cohorts.front().count += count;
}

std::vector<Cohort> disjoint(const Rings& rings, std::int64_t now_ns, std::int64_t oldest_ns,
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
  for (int level = 0; level < rings.levels && left > 0; level++) {
    for (const auto& slot : read_ring(rings, level, now_ns)) {
      if (slot.to <= covered_from) {
        add(slot.from, slot.to, slot.count);
      } else if (slot.from < covered_from) {  // straddles: the finer ring has its younger part
        const std::uint64_t known = counted_between(cohorts, covered_from, slot.to);
        if (slot.count > known) add(slot.from, covered_from, slot.count - known);
      }
    }
    const int shift = rings.shift_of(level);
    covered_from = std::max<std::int64_t>(0, (now_ns >> shift) - rings.slots + 1) << shift;
  }
  if (oldest_ns < covered_from) {
    add(oldest_ns, covered_from, left);
  } else if (left > 0) {
    add_youngest(cohorts, rings, now_ns, left);
  }
  std::reverse(cohorts.begin(), cohorts.end());
  for (auto& cohort : cohorts) cohort.born_to_ns = std::min(cohort.born_to_ns, now_ns);
  return cohorts;
}

}  // namespace

std::vector<Cohort> disjoint_cohorts(const al_site& site, std::int64_t now_ns, std::int64_t oldest_ns,
                                     std::uint64_t outstanding) {
  const Rings rings{&site.cohorts[0][0], AL_COHORT_LEVELS,      AL_COHORT_SLOTS,
                    AL_COHORT_SHIFT,     AL_COHORT_LEVEL_SHIFT, AL_COHORT_BITS};
  return disjoint(rings, now_ns, oldest_ns, outstanding);
}

std::vector<ByteCohort> disjoint_cohorts(const al_site_memory& memory, std::int64_t now_ns, std::int64_t oldest_ns,
                                         std::uint64_t bytes) {
  const Rings rings{&memory.cohorts[0][0], AL_BYTE_LEVELS,      AL_BYTE_SLOTS,
                    AL_BYTE_SHIFT,         AL_BYTE_LEVEL_SHIFT, AL_BYTE_BITS};
  std::vector<ByteCohort> cohorts;
  for (const auto& cohort : disjoint(rings, now_ns, oldest_ns, bytes)) {
    cohorts.push_back({cohort.born_from_ns, cohort.born_to_ns, cohort.count});
  }
  return cohorts;
}

}  // namespace asyncleak::probe
