// The floor of a number over time: where it never falls below again.
//
// Used by verdict.cpp, site_state.cpp and model.cpp. Pure. The floor of a moment is the smallest number from then on: a
// burst that drains and a sawtooth leave it where it was, what accumulates raises it.
#pragma once

#include "model/history.h"

#include <optional>

namespace asyncleak {

struct TrendPolicy {
  double window_s = 300;          // the trend looks back this far
  double recent_s = 60;           // and again this far, for growth that began late
  double trend_min_s = 5;         // no trend before that ...
  std::size_t trend_samples = 5;  // ... or with fewer samples
  double min_rise = 3;            // objects: smaller rises are chance
  double step_share = 0.4;        // a step that is less than this share of the mean step is chance
};

// The floor over one window.
struct Trend {
  double window_s = 0;
  double growth_per_min = 0;  // Theil-Sen slope of the floor
  double rise = 0;            // of the floor, first to last part of the window
  double noise = 0;           // robust standard deviation of the value above its floor
  int steps_up = 0;           // of five between six equal parts of the window
  bool rose_lately = false;   // in the last quarter of the window
};

// nullopt until observed long enough.
[[nodiscard]] std::optional<Trend> trend_of(const History& history, double window_s, const TrendPolicy& policy);

}  // namespace asyncleak
