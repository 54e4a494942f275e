// Age classes as bytes: most of what changes in a sample, so they have a coding of their own.
//
// The kernel cuts time for all sites alike, and a class only loses members after its birth. So bounds are told by what
// the sites before had, and counts by what was in the same span of births one sample ago: nearly every byte is 0, or
// the few that ended. Used by codec.h. Pure.
#pragma once

#include "sample/bytes.h"
#include "sample/fields.h"

#include <algorithm>
#include <cstdint>
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

  void write(ByteWriter& out, std::int64_t from_ns, std::int64_t to_ns) {
    const std::uint64_t skipped = skipped_to(from_ns);
    const bool as_seen = at_ < seen_.size() && seen_[at_].from == from_ns && seen_[at_].to == to_ns;
    const std::uint64_t end = as_seen ? end_as_seen : to_ns == now_ns_ ? end_now : end_told;
    out.number(skipped * ends + end);
    if (skipped == from_told) out.difference(static_cast<std::uint64_t>(from_ns) - unsigned_last());
    if (end == end_told) out.difference(static_cast<std::uint64_t>(to_ns) - static_cast<std::uint64_t>(from_ns));
    remember({from_ns, to_ns});
  }

  void read(ByteReader& in, std::int64_t& from_ns, std::int64_t& to_ns) {
    const std::uint64_t code = in.number();
    const std::uint64_t skipped = code / ends;
    if (skipped == from_told) {
      from_ns = static_cast<std::int64_t>(unsigned_last() + in.difference());
    } else if (!unskip(skipped, from_ns)) {
      in.fail();
    }
    advance(from_ns);
    if (code % ends == end_told) {
      to_ns = static_cast<std::int64_t>(static_cast<std::uint64_t>(from_ns) + in.difference());
    } else if (code % ends == end_now) {
      to_ns = now_ns_;
    } else if (at_ < seen_.size() && seen_[at_].from == from_ns) {
      to_ns = seen_[at_].to;
    } else {
      in.fail();
    }
    if (in.ok()) remember({from_ns, to_ns});
  }

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

  void advance(std::int64_t from_ns) {
    if (at_ > 0 && at_ <= seen_.size() && seen_[at_ - 1].from >= from_ns) at_ = 0;  // out of order: look again
    while (at_ < seen_.size() && seen_[at_].from < from_ns) ++at_;
  }

  std::uint64_t skipped_to(std::int64_t from_ns) {
    if (from_ns == last_to_ns_) {
      advance(from_ns);
      return 0;
    }
    advance(last_to_ns_);
    const std::size_t first = at_;
    advance(from_ns);
    const bool found = from_ns > last_to_ns_ && at_ < seen_.size() && seen_[at_].from == from_ns;
    const std::uint64_t skipped = found ? at_ - first + 1 : from_told;
    return std::min(skipped, from_told);
  }

  bool unskip(std::uint64_t skipped, std::int64_t& from_ns) {
    from_ns = last_to_ns_;
    advance(from_ns);
    if (skipped == 0) return true;
    if (skipped > from_told || at_ + skipped > seen_.size()) return false;
    from_ns = seen_[at_ + skipped - 1].from;
    return true;
  }

  // AT_ is where it belongs.
  void remember(Bounds bounds) {
    const auto place = seen_.begin() + static_cast<std::ptrdiff_t>(at_);
    if (at_ < seen_.size() && place->from == bounds.from) {
      *place = bounds;
    } else if (seen_.size() < most_seen) {
      seen_.insert(place, bounds);
    }
    last_to_ns_ = bounds.to;
  }

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

template <AgeClass Class>
void write_classes(ByteWriter& out, CohortBounds& bounds, const std::vector<Class>& classes,
                   const std::vector<Class>& earlier) {
  bounds.next_list(earlier.empty() ? nullptr : &earlier.front().born_from_ns);
  for (const Class& each : classes) bounds.write(out, each.born_from_ns, each.born_to_ns);
  EarlierCounts<Class> counts(earlier);
  for (const Class& each : classes) {
    out.difference(std::get<2>(fields(each)) - counts.within(each.born_from_ns, each.born_to_ns));
  }
}

// CLASSES has the size it is to have.
template <AgeClass Class>
void read_classes(ByteReader& in, CohortBounds& bounds, std::vector<Class>& classes,
                  const std::vector<Class>& earlier) {
  bounds.next_list(earlier.empty() ? nullptr : &earlier.front().born_from_ns);
  for (Class& each : classes) {
    if (!in.ok()) return;
    bounds.read(in, each.born_from_ns, each.born_to_ns);
  }
  EarlierCounts<Class> counts(earlier);
  for (Class& each : classes) {
    std::get<2>(fields(each)) = in.difference() + counts.within(each.born_from_ns, each.born_to_ns);
  }
}

}  // namespace asyncleak
