#include "model/arrivals.h"

#include "model/ages.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>

namespace asyncleak {
namespace {

constexpr std::size_t slices = Arrivals::slices;

double sum(std::span<const double> values) { return std::accumulate(values.begin(), values.end(), 0.0); }

bool is_even(std::span<const double> counts, double total, const ArrivalPolicy& policy) {
  constexpr std::size_t parts = 6, width = slices / parts;
  int busy = 0;
  for (std::size_t part = 0; part < parts; ++part) {
    const double there = sum(counts.subspan(part * width, width));
    if (there > 0 && there >= policy.part_share * total / parts) ++busy;
  }
  return busy >= policy.parts_of_six;
}

// From third to third fewer, by more than the unrest from slice to slice explains.
bool is_slower(std::span<const double> counts, double unit, const ArrivalPolicy& policy) {
  constexpr std::size_t third = slices / 3;
  const double first = sum(counts.first(third)) / unit, middle = sum(counts.subspan(third, third)) / unit,
               last = sum(counts.last(third)) / unit;
  if (last >= policy.slower_share * first || middle > first || last > middle + std::sqrt(middle + last)) return false;
  // Of normal noise, the median step between neighbours is 0.954 of its standard deviation.
  std::array<double, slices - 1> steps;
  for (std::size_t i = 0; i + 1 < slices; ++i) steps[i] = std::abs(counts[i + 1] - counts[i]) / unit;
  std::nth_element(steps.begin(), steps.begin() + steps.size() / 2, steps.end());
  const double unrest = std::pow(steps[steps.size() / 2] / 0.954, 2);
  const double variance = std::max(first + last, 2 * third * unrest);
  return first - last > policy.slower_sigmas * std::sqrt(variance);
}

}  // namespace

Arrivals arrivals_of(const SiteSample& site, std::int64_t from_ns, std::int64_t to_ns, std::int64_t now_ns) {
  Arrivals arrivals;
  arrivals.window_s = static_cast<double>(to_ns - from_ns) / 1e9;
  const double width_ns = static_cast<double>(to_ns - from_ns) / static_cast<double>(slices);
  for (const Cohort& cohort : site.cohorts) {
    const BirthSpan span = births(site, cohort, now_ns);
    if (span.to < from_ns || span.from >= to_ns) continue;
    const double begin = static_cast<double>(span.from - from_ns) / width_ns;
    const double end = std::max(begin + 1e-9, static_cast<double>(span.to - from_ns) / width_ns);
    const double density = static_cast<double>(cohort.count) / (end - begin);
    const auto first = static_cast<std::size_t>(std::max(0.0, begin));
    for (std::size_t i = first; i < slices && static_cast<double>(i) < end; ++i) {
      const double low = std::max(begin, static_cast<double>(i));
      const double high = std::min(end, static_cast<double>(i + 1));
      arrivals.counts[i] += density * std::max(0.0, high - low);
    }
  }
  return arrivals;
}

Arrivals arrivals_of(const History& history, double from_s) {
  Arrivals arrivals;
  arrivals.window_s = history.last_s() - from_s;
  std::array<double, slices + 1> floor{};
  history.slice_minima(from_s, std::span(floor).first<slices>());
  floor[slices] = history.last();
  for (std::size_t i = slices; i > 0; --i) floor[i - 1] = std::min(floor[i - 1], floor[i]);
  for (std::size_t i = 0; i < slices; ++i) arrivals.counts[i] = floor[i + 1] - floor[i];
  return arrivals;
}

ArrivalShape shape_of(const Arrivals& arrivals, double unit, const ArrivalPolicy& policy) {
  const std::span<const double> counts(arrivals.counts);
  ArrivalShape shape;
  const double total = sum(counts);
  shape.total = total / unit;
  // Births of a class are spread over its time: less than half of one in a slice is the tail of a neighbour.
  const double busy = std::min(0.5 * unit, 0.2 * total / static_cast<double>(slices));
  shape.busy_slices =
      static_cast<double>(std::count_if(counts.begin(), counts.end(), [busy](double count) { return count > busy; }));
  if (shape.busy_slices == 0) return shape;
  shape.even = is_even(counts, total, policy);
  const auto last = std::find_if(counts.rbegin(), counts.rend(), [busy](double count) { return count > busy; });
  const auto silent = static_cast<double>(last - counts.rbegin());
  shape.still = silent * shape.busy_slices / static_cast<double>(slices) <= policy.silence;
  shape.slower = is_slower(counts, unit, policy);
  return shape;
}

}  // namespace asyncleak
