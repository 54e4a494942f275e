#include "sample/cohort_codec.h"

namespace asyncleak {

void CohortBounds::write(RangeWriter& out, NumberModel& codes, std::int64_t from_ns, std::int64_t to_ns) {
  const std::uint64_t skipped = skipped_to(from_ns);
  const bool as_seen = at_ < seen_.size() && seen_[at_].from == from_ns && seen_[at_].to == to_ns;
  const std::uint64_t end = as_seen ? end_as_seen : to_ns == now_ns_ ? end_now : end_told;
  out.number(codes, skipped * ends + end);
  if (skipped == from_told) out.difference(told_, static_cast<std::uint64_t>(from_ns) - unsigned_last());
  if (end == end_told) out.difference(told_, static_cast<std::uint64_t>(to_ns) - static_cast<std::uint64_t>(from_ns));
  remember({from_ns, to_ns});
}

void CohortBounds::read(RangeReader& in, NumberModel& codes, std::int64_t& from_ns, std::int64_t& to_ns) {
  const std::uint64_t code = in.number(codes);
  const std::uint64_t skipped = code / ends;
  if (skipped == from_told) {
    from_ns = static_cast<std::int64_t>(unsigned_last() + in.difference(told_));
  } else if (!unskip(skipped, from_ns)) {
    in.fail();
  }
  advance(from_ns);
  if (code % ends == end_told) {
    to_ns = static_cast<std::int64_t>(static_cast<std::uint64_t>(from_ns) + in.difference(told_));
  } else if (code % ends == end_now) {
    to_ns = now_ns_;
  } else if (at_ < seen_.size() && seen_[at_].from == from_ns) {
    to_ns = seen_[at_].to;
  } else {
    in.fail();
  }
  if (in.ok()) remember({from_ns, to_ns});
}

void CohortBounds::advance(std::int64_t from_ns) {
  if (at_ > 0 && at_ <= seen_.size() && seen_[at_ - 1].from >= from_ns) at_ = 0;  // out of order: look again
  while (at_ < seen_.size() && seen_[at_].from < from_ns) ++at_;
}

std::uint64_t CohortBounds::skipped_to(std::int64_t from_ns) {
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

bool CohortBounds::unskip(std::uint64_t skipped, std::int64_t& from_ns) {
  from_ns = last_to_ns_;
  advance(from_ns);
  if (skipped == 0) return true;
  if (skipped > from_told || at_ + skipped > seen_.size()) return false;
  from_ns = seen_[at_ + skipped - 1].from;
  return true;
}

// AT_ is where it belongs.
void CohortBounds::remember(Bounds bounds) {
  const auto place = seen_.begin() + static_cast<std::ptrdiff_t>(at_);
  if (at_ < seen_.size() && place->from == bounds.from) {
    *place = bounds;
  } else if (seen_.size() < most_seen) {
    seen_.insert(place, bounds);
  }
  last_to_ns_ = bounds.to;
}

}  // namespace asyncleak
