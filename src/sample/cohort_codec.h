// Age classes as bytes: most of what changes in a sample, so they have a coding of their own.
//
// The kernel cuts time for all sites alike, and a class only loses members after its birth. So bounds are told by what
// the sites before had, and counts by what was in the same span of births one sample ago: nearly every byte is 0, or
// the few that ended. Used by the codec. Pure.
#pragma once

#include "sample/fields.h"
#include "sample/range_coder.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <tuple>
#include <vector>

namespace asyncleak {

template <class Value>
concept AgeClass = Is<Value, Cohort> || Is<Value, ByteCohort>;

// The bounds that classes had lately: of the sites before in this sample, and of the sample before. The same steps in
// the writer and the reader.
class CohortBounds {
 public:
  void next_sample(std::int64_t now_ns) {
    now_ns_ = now_ns;
    std::erase_if(seen_, [](const Bounds& bounds) { return !bounds.in_use; });
    for (Bounds& bounds : seen_) bounds.in_use = false;
  }
  // Before each list of classes; FROM_NS: where the site's began one sample ago, nullptr: not known.
  void next_list(const std::int64_t* from_ns) {
    at_ = 0;
    last_to_ns_ = from_ns != nullptr ? *from_ns : now_ns_;
  }

  void write(RangeWriter& out, NumberModel& codes, std::int64_t from_ns, std::int64_t to_ns);
  void read(RangeReader& in, NumberModel& codes, std::int64_t& from_ns, std::int64_t& to_ns);

 private:
  struct Bounds {
    std::int64_t from, to;
    bool in_use = true;
  };
  static constexpr std::size_t most_seen = 4096;  // the rings of all sites together have a few hundred
  // What a code says of a class's beginning: 0: the end of the one before; N: that of the Nth seen after it.
  static constexpr std::uint64_t from_told = 40;
  static constexpr std::uint64_t end_as_seen = 0, end_now = 1, end_told = 2, ends = 3;

  [[nodiscard]] std::uint64_t unsigned_last() const { return static_cast<std::uint64_t>(last_to_ns_); }

  void advance(std::int64_t from_ns);
  [[nodiscard]] std::uint64_t skipped_to(std::int64_t from_ns);
  [[nodiscard]] bool unskip(std::uint64_t skipped, std::int64_t& from_ns);
  void remember(Bounds bounds);

  NumberModel told_;
  std::int64_t now_ns_ = 0, last_to_ns_ = 0;
  std::size_t at_ = 0;
  std::vector<Bounds> seen_;  // by `from`
};

// Members one sample ago of what is now [from, to): classes are joined as they age. Asked for rising spans.
template <AgeClass Class>
class EarlierCounts {
 public:
  explicit EarlierCounts(const std::vector<Class>& earlier) : next_(earlier.data()), end_(next_ + earlier.size()) {}
  std::uint64_t within(std::int64_t from_ns, std::int64_t to_ns) {
    std::uint64_t sum = 0;
    while (next_ != end_ && next_->born_from_ns < from_ns) ++next_;
    for (; next_ != end_ && next_->born_to_ns <= to_ns; ++next_) sum += std::get<2>(fields(*next_));
    return sum;
  }

 private:
  const Class* next_;
  const Class* end_;
};

// Sites are told apart by how busy they were: bits of what they created in the sample before.
constexpr std::size_t activities = 8;

// How many of a class end is like its size, and like how many of the class before did.
class CountModels {
 public:
  NumberModel& of(std::uint64_t expected, std::uint64_t difference_before) {
    return models_[step(expected, expected_steps)][step(difference_before, before_steps)];
  }

 private:
  static constexpr std::size_t expected_steps = 8, before_steps = 4;
  static std::size_t step(std::uint64_t value, std::size_t steps) {
    return std::min(static_cast<std::size_t>(std::bit_width(value)), steps - 1);
  }
  std::array<std::array<NumberModel, before_steps>, expected_steps> models_;
};

inline std::uint64_t size_of_difference(std::uint64_t difference) {
  return std::min(difference, std::uint64_t{0} - difference);
}

// What the lists of one kind of class have in common.
struct ClassCoding {
  CohortBounds bounds;
  std::array<NumberModel, activities> bound_codes;
  std::array<CountModels, activities> counts;
  std::size_t activity = 0;
};

template <AgeClass Class>
void write_classes(RangeWriter& out, ClassCoding& coding, const std::vector<Class>& classes,
                   const std::vector<Class>& earlier) {
  coding.bounds.next_list(earlier.empty() ? nullptr : &earlier.front().born_from_ns);
  EarlierCounts<Class> counts(earlier);
  std::uint64_t size_before = 0;
  for (const Class& each : classes) {
    coding.bounds.write(out, coding.bound_codes[coding.activity], each.born_from_ns, each.born_to_ns);
    const std::uint64_t expected = counts.within(each.born_from_ns, each.born_to_ns);
    const std::uint64_t difference = std::get<2>(fields(each)) - expected;
    out.difference(coding.counts[coding.activity].of(expected, size_before), difference);
    size_before = size_of_difference(difference);
  }
}

// CLASSES has the size it is to have.
template <AgeClass Class>
void read_classes(RangeReader& in, ClassCoding& coding, std::vector<Class>& classes,
                  const std::vector<Class>& earlier) {
  coding.bounds.next_list(earlier.empty() ? nullptr : &earlier.front().born_from_ns);
  EarlierCounts<Class> counts(earlier);
  std::uint64_t size_before = 0;
  for (Class& each : classes) {
    coding.bounds.read(in, coding.bound_codes[coding.activity], each.born_from_ns, each.born_to_ns);
    if (!in.ok()) return;
    const std::uint64_t expected = counts.within(each.born_from_ns, each.born_to_ns);
    const std::uint64_t difference = in.difference(coding.counts[coding.activity].of(expected, size_before));
    std::get<2>(fields(each)) = expected + difference;
    size_before = size_of_difference(difference);
  }
}

}  // namespace asyncleak
