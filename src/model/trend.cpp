#include "model/trend.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace asyncleak {
namespace {

constexpr std::size_t parts = 6;
constexpr std::size_t slices = 24;  // four a part; 276 pairs for the slope
using Slices = std::array<double, slices>;

double median(std::span<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

// Median slope between all pairs, per slice. The floor never falls, so that a majority of
// level pairs means a median of zero, which is the answer for nearly every healthy site.
double theil_sen(const Slices& floor) {
  constexpr std::size_t pairs = slices * (slices - 1) / 2;
  std::size_t level = 0;
  for (std::size_t begin = 0; begin < slices;) {
    std::size_t end = begin;
    while (end < slices && floor[end] == floor[begin]) ++end;
    level += (end - begin) * (end - begin - 1) / 2;
    begin = end;
  }
  if (level > pairs / 2) return 0;
  std::array<double, pairs> slopes;
  std::size_t count = 0;
  for (std::size_t i = 0; i < slices; ++i) {
    for (std::size_t j = i + 1; j < slices; ++j) slopes[count++] = (floor[j] - floor[i]) / static_cast<double>(j - i);
  }
  return median(slopes);
}

// 1.4826: the median absolute deviation of normal noise is its standard deviation / 1.4826.
double noise_above(const Slices& floor, const Slices& values) {
  Slices above;
  std::transform(values.begin(), values.end(), floor.begin(), above.begin(), std::minus<>());
  Slices scratch = above;
  const double middle = median(scratch);
  std::transform(above.begin(), above.end(), scratch.begin(), [middle](double v) { return std::abs(v - middle); });
  return 1.4826 * median(scratch);
}

}  // namespace

std::optional<Trend> trend_of(const History& history, double window_s, const TrendPolicy& policy) {
  if (history.samples() < policy.trend_samples) return std::nullopt;
  const double from = std::max(history.first_s(), history.last_s() - window_s);
  Trend trend;
  trend.window_s = history.last_s() - from;
  if (trend.window_s < policy.trend_min_s) return std::nullopt;
  if (history.constant_since(from)) return trend;

  Slices floor, values;
  history.slice_minima(from, floor);
  for (std::size_t i = slices - 1; i > 0; --i) floor[i - 1] = std::min(floor[i - 1], floor[i]);
  trend.growth_per_min = theil_sen(floor) * static_cast<double>(slices) / trend.window_s * 60;
  // The floor only rises, so a part's smallest value is its first slice's.
  constexpr std::size_t width = slices / parts;
  trend.rise = floor[(parts - 1) * width] - floor[0];
  const double least_step = policy.step_share * trend.rise / static_cast<double>(parts - 1);
  for (std::size_t part = 1; part < parts; ++part) {
    const double step = floor[part * width] - floor[(part - 1) * width];
    trend.steps_up += step > 0 && step >= least_step ? 1 : 0;
  }
  trend.rose_lately = floor[slices - 1] > floor[slices * 3 / 4];
  if (trend.rise >= policy.min_rise) {
    history.slice_values(from, values);
    trend.noise = noise_above(floor, values);
  }
  return trend;
}

}  // namespace asyncleak
