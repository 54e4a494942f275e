#include "model/verdict.h"

#include <algorithm>
#include <cmath>

namespace asyncleak {
namespace {

bool is_growing(const Trend& trend, double unit, const VerdictPolicy& policy) {
  return trend.window_s >= policy.growing_min_s && trend.steps_up >= policy.growing_steps && trend.rose_lately &&
         trend.rise >= std::max(policy.trend.min_rise * unit, policy.growing_sigmas * trend.noise);
}

// The long window, or the recent one where growth began late. Only a level never seen before counts: the next tooth of
// a slow sawtooth is not news.
std::optional<Trend> growing_trend(const Population& it, const std::optional<Trend>& trend,
                                   const VerdictPolicy& policy) {
  if (trend && is_growing(*trend, it.unit, policy)) return trend;
  const double recent_from = it.history.last_s() - policy.trend.recent_s;
  if (it.history.first_s() >= recent_from || it.history.last() <= it.history.max_before(recent_from)) {
    return std::nullopt;
  }
  auto recent = trend_of(it.history, policy.trend.recent_s, policy.trend);
  return recent && is_growing(*recent, it.unit, policy) ? recent : std::nullopt;
}

// Evidence that was complete a while ago holds until there was time for more of it.
bool still_holds(const Population& it, const Standpoint& standpoint, const VerdictPolicy& policy) {
  if (standpoint.verdict != Verdict::leak || !standpoint.leak) return false;
  const LeakEvidence& leak = *standpoint.leak;
  const double hold_s =
      std::max({std::min(policy.hold_most_s, policy.hold_share * leak.window_s), policy.hold_gaps * leak.gap_s,
                std::min(policy.hold_pause_most_s, policy.hold_pauses * standpoint.longest_pause_s)});
  return it.history.last_s() - standpoint.confirmed_s <= hold_s &&
         it.history.last() >= policy.hold_level * standpoint.level;
}

// The longer nothing grew, the surer: after a minute 95 %.
// Nothing that is only watched is certain.
constexpr double most_confidence = 0.99;

double quiet_confidence(double seconds) { return std::min(most_confidence, 1 - std::exp(-seconds / 20)); }

double growing_confidence(const Trend& trend, double unit) {
  return std::clamp(1 - std::exp(-trend.rise / std::max(unit, trend.noise) / 4), 0.5, most_confidence);
}

}  // namespace

Judgement judge(const Population& it, Standpoint& standpoint, const VerdictPolicy& policy) {
  Judgement result;
  result.trend = trend_of(it.history, policy.trend.window_s, policy.trend);
  if (!result.trend) return result;
  Population known = it;
  known.named = standpoint.verdict == Verdict::leak;
  result.leak = leak_evidence(known, policy);
  if (result.leak && result.leak->confidence >= policy.leak_confidence) {
    const bool went_on = standpoint.leak && it.history.last() >= policy.hold_level * standpoint.level;
    if (went_on && standpoint.verdict != Verdict::leak) {
      standpoint.longest_pause_s = std::max(standpoint.longest_pause_s, it.history.last_s() - standpoint.confirmed_s);
    }
    standpoint.leak = result.leak;
    standpoint.confirmed_s = it.history.last_s();
    standpoint.level = it.history.last();
    standpoint.verdict = Verdict::leak;
  } else if (still_holds(it, standpoint, policy)) {
    result.leak = standpoint.leak;
  } else {
    standpoint.verdict = Verdict::fresh;
  }
  if (standpoint.verdict == Verdict::leak) {
    if (result.leak->window_s < policy.trend.recent_s && !is_growing(*result.trend, it.unit, policy)) {
      if (auto recent = trend_of(it.history, policy.trend.recent_s, policy.trend)) result.trend = recent;
    }
    result.confidence = std::min(most_confidence, result.leak->confidence);
  } else if (const auto growing = growing_trend(it, result.trend, policy)) {
    result.trend = growing;
    standpoint.verdict = Verdict::growing;
    result.confidence = growing_confidence(*growing, it.unit);
  } else if (const double seconds = it.history.last_s() - it.history.first_s(); seconds >= policy.fresh_s) {
    const double quiet_s = static_cast<double>(it.now_ns - it.site.last_created_ns) / 1e9;
    const bool churn = quiet_s < policy.churn_quiet_s && it.site.destroyed_total > 0;
    standpoint.verdict = churn ? Verdict::churn : Verdict::steady;
    result.confidence = quiet_confidence(seconds);
  }
  result.verdict = standpoint.verdict;
  return result;
}

}  // namespace asyncleak
