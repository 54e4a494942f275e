// What the trend of one site means: nothing yet, churn, a pool, growth, a leak.
//
// Used by model.cpp. Pure: a history and the cohorts in, a verdict out. The floor of a
// moment is the smallest number of tasks from then on: a burst that drains and a sawtooth leave
// it where it was, a leak raises it.
#pragma once

#include "model/history.h"
#include "model/report.h"

#include <optional>

namespace asyncleak {

struct VerdictPolicy {
  double window_s = 300;          // the trend looks back this far
  double recent_s = 60;           // and again this far, for growth that began late
  double trend_min_s = 5;         // no trend before that ...
  std::size_t trend_samples = 5;  // ... or with fewer samples
  double fresh_s = 10;            // no opinion before that, but for clear growth
  double growing_min_s = 7;       // growth is named after that: eight samples at the default delay
  double leak_min_s = 30;         // a leak is named after that
  double min_rise = 3;            // tasks: smaller rises are chance
  double growing_sigmas = 2;      // the rise in units of the noise above the floor
  double leak_sigmas = 3;
  int growing_steps = 3;  // of five steps between six equal parts of the window, the floor rose in
  int leak_steps = 4;
  double step_share = 0.4;    // a step that is less than this share of the mean step is chance
  int leak_stays_steps = 3;   // a leak once named stays one down to that: no flapping
  double survivors = 0.5;     // of the first half's rise, this share must still exist, by age: else it is load
  double churn_quiet_s = 10;  // no creation for so long is not churn
};

// The floor over one window.
struct Trend {
  double window_s = 0;
  double growth_per_min = 0;  // Theil-Sen slope of the floor
  double rise = 0;            // of the floor, first to last part of the window
  double first_half_rise = 0;
  double noise = 0;          // robust standard deviation of the value above its floor
  int steps_up = 0;          // of five
  bool rising_now = false;   // the last step went up, and the floor still rises at the very end
  bool rose_lately = false;  // it rose in the last quarter of the window
};

// nullopt until observed long enough.
[[nodiscard]] std::optional<Trend> trend_of(const History& history, double window_s, const VerdictPolicy& policy);

struct Judgement {
  Verdict verdict = Verdict::fresh;
  std::optional<Trend> trend;  // the window that decided
};

// The history ends with this sample, taken at NOW_NS; PREVIOUS is the verdict of the one before.
[[nodiscard]] Judgement judge(const History& history, const SiteSample& site, std::int64_t now_ns, Verdict previous,
                              const VerdictPolicy& policy);

}  // namespace asyncleak
