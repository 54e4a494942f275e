#include "model/verdict.h"

#include "model/ages.h"

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

bool is_leak(const Trend& trend, const SiteSample& site, std::int64_t now_ns, Verdict previous,
             const VerdictPolicy& policy) {
  if (trend.window_s < policy.leak_min_s) return false;
  const bool was_leak = previous == Verdict::leak;
  if (trend.steps_up < (was_leak ? policy.leak_stays_steps : policy.leak_steps)) return false;
  if (!(was_leak ? trend.rose_lately : trend.rising_now)) return false;
  if (trend.rise < std::max(policy.min_rise, policy.leak_sigmas * trend.noise)) return false;
  if (site.by_census) return true;  // nobody saw the births: the floor has to do
  const auto window_ns = static_cast<std::int64_t>(trend.window_s * 1e9);
  const double alive = born_between(site, now_ns - window_ns, now_ns - window_ns / 2, now_ns);
  return alive >= policy.survivors * trend.first_half_rise;
}

bool is_growing(const Trend& trend, const VerdictPolicy& policy) {
  return trend.window_s >= policy.growing_min_s && trend.steps_up >= policy.growing_steps && trend.rose_lately &&
         trend.rise >= std::max(policy.min_rise, policy.growing_sigmas * trend.noise);
}

Verdict verdict_of(const Trend& trend, const SiteSample& site, std::int64_t now_ns, Verdict previous,
                   const VerdictPolicy& policy) {
  if (is_leak(trend, site, now_ns, previous, policy)) return Verdict::leak;
  return is_growing(trend, policy) ? Verdict::growing : Verdict::fresh;
}

}  // namespace

std::optional<Trend> trend_of(const History& history, double window_s, const VerdictPolicy& policy) {
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
  bool last_step_up = false;
  for (std::size_t part = 1; part < parts; ++part) {
    const double step = floor[part * width] - floor[(part - 1) * width];
    last_step_up = step > 0 && step >= least_step;
    trend.steps_up += last_step_up ? 1 : 0;
  }
  trend.rising_now = last_step_up && floor[slices - 1] > floor[slices - 2];
  trend.rose_lately = floor[slices - 1] > floor[slices * 3 / 4];
  trend.first_half_rise = floor[slices / 2] - floor[0];
  if (trend.rise >= policy.min_rise) {
    history.slice_values(from, values);
    trend.noise = noise_above(floor, values);
  }
  return trend;
}

Judgement judge(const History& history, const SiteSample& site, std::int64_t now_ns, Verdict previous,
                const VerdictPolicy& policy) {
  Judgement result{Verdict::fresh, trend_of(history, policy.window_s, policy)};
  if (!result.trend) return result;
  result.verdict = verdict_of(*result.trend, site, now_ns, previous, policy);
  const double recent_from = history.last_s() - policy.recent_s;
  // Growth that began late is a small part of the long window. Only a level never seen before
  // counts: the next tooth of a slow sawtooth is not news.
  if (result.verdict != Verdict::leak && history.first_s() < recent_from &&
      history.last() > history.max_before(recent_from)) {
    const auto recent = trend_of(history, policy.recent_s, policy);
    const Verdict late = recent ? verdict_of(*recent, site, now_ns, previous, policy) : Verdict::fresh;
    if (late > result.verdict) result = {late, recent};
  }
  if (result.verdict != Verdict::fresh) return result;

  if (history.last_s() - history.first_s() < policy.fresh_s) return result;
  const double quiet_s = static_cast<double>(now_ns - site.last_created_ns) / 1e9;
  const bool churn = quiet_s < policy.churn_quiet_s && site.destroyed_total > 0;
  result.verdict = churn ? Verdict::churn : Verdict::steady;
  return result;
}

}  // namespace asyncleak
