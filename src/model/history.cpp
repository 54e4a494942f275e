#include "model/history.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace asyncleak {

void History::add(double seconds, double value) {
  const Point point{static_cast<std::uint32_t>(std::llround(seconds * 100)), static_cast<float>(value)};
  if (samples_++ > 0 && point.value != latest_.value) (void)points();
  const bool first = samples_ == 1 || point.value != latest_.value;
  latest_ = point;
  if (first) {
    if (points_.size() >= max_points) thin_older_half();
    points_.push_back(point);
  }
}

// A level stretch is its two ends.
const std::vector<History::Point>& History::points() const {
  if (samples_ == 0 || points_.back().centiseconds == latest_.centiseconds) return points_;
  const std::size_t size = points_.size();
  if (size >= 2 && points_[size - 2].value == latest_.value) {
    points_.back().centiseconds = latest_.centiseconds;
  } else {
    if (size >= max_points) thin_older_half();
    points_.push_back(latest_);
  }
  return points_;
}

// Pairs become one point that keeps the smaller value: trends are judged by the floor.
void History::thin_older_half() const {
  const std::size_t half = points_.size() / 2;
  for (std::size_t i = 0; i + 1 < half; i += 2) {
    points_[i / 2] = points_[i].value <= points_[i + 1].value ? points_[i] : points_[i + 1];
  }
  points_.erase(points_.begin() + static_cast<std::ptrdiff_t>(half / 2),
                points_.begin() + static_cast<std::ptrdiff_t>(half));
}

std::size_t History::first_at_or_after(double seconds) const {
  const double wanted = seconds * 100;
  const auto found = std::lower_bound(points().begin(), points().end(), wanted,
                                      [](const Point& point, double limit) { return point.centiseconds < limit; });
  return static_cast<std::size_t>(found - points().begin());
}

double History::max_before(double seconds) const {
  const std::size_t end = first_at_or_after(seconds);
  double largest = -std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < end; ++i) largest = std::max<double>(largest, points_[i].value);
  return largest;
}

bool History::constant_since(double seconds) const {
  const std::size_t begin = first_at_or_after(seconds);
  for (std::size_t i = begin; i < points_.size(); ++i) {
    if (points_[i].value != points_.back().value) return false;
  }
  // Of a level stretch that began earlier only the end is inside.
  if (begin == 0 || begin == points_.size() || points_[begin].centiseconds <= seconds * 100) return true;
  return points_[begin - 1].value == points_.back().value;
}

double History::deepest_fall() const {
  float top = -std::numeric_limits<float>::infinity(), deepest = 0;
  for (const Point& point : points()) {
    top = std::max(top, point.value);
    deepest = std::max(deepest, top - point.value);
  }
  return deepest;
}

double History::between(std::size_t next, double seconds) const {
  if (next == 0) return points_.front().value;
  if (next == points_.size()) return points_.back().value;
  const Point& before = points_[next - 1];
  const Point& after = points_[next];
  const double width = after.seconds() - before.seconds();
  const double share = width > 0 ? (seconds - before.seconds()) / width : 1;
  return before.value + share * (after.value - before.value);
}

template <History::Of what>
void History::slice(double from_s, std::span<double> out) const {
  const double width = (last_s() - from_s) / static_cast<double>(out.size());
  const std::size_t size = points_.size();
  std::size_t at = first_at_or_after(from_s);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const double begin_s = from_s + width * static_cast<double>(i);
    const auto end = i + 1 == out.size() ? std::numeric_limits<std::uint32_t>::max()
                                         : static_cast<std::uint32_t>(std::ceil(100 * (begin_s + width)));
    const bool has_sample = at < size && points_[at].centiseconds < end;
    const bool from_begin = what == Of::minima || !has_sample;
    double value = from_begin ? between(at, begin_s) : 0;
    auto lowest = std::numeric_limits<float>::infinity();
    for (; at < size && points_[at].centiseconds < end; ++at) lowest = std::min(lowest, points_[at].value);
    if (has_sample) value = what == Of::minima ? std::min<double>(value, lowest) : points_[at - 1].value;
    out[i] = value;
  }
}

void History::slice_minima(double from_s, std::span<double> out) const { slice<Of::minima>(from_s, out); }
void History::slice_values(double from_s, std::span<double> out) const { slice<Of::last_values>(from_s, out); }

bool History::is_level(const std::vector<double>& sparkline) const {
  if (sparkline.size() < sparkline_points || sparkline.front() != last() || sparkline.back() != last()) return false;
  return constant_since(last_s() - sparkline_span_s) &&
         std::all_of(sparkline.begin(), sparkline.end(), [this](double value) { return value == last(); });
}

std::vector<double> History::sparkline() const {
  if (empty()) return {};
  const double from = std::max(first_s(), last_s() - sparkline_span_s);
  std::vector<double> values(std::clamp<std::size_t>(samples_, 1, sparkline_points));
  slice_values(from, values);
  return values;
}

}  // namespace asyncleak
