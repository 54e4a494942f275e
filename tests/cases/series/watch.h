// One series before the real model: what it said, refresh by refresh.
//
// Used by judge_series and its test.
#pragma once

#include "family.h"
#include "model/model.h"

#include <optional>

namespace asyncleak::series {

struct Outcome {
  Series series;
  std::optional<double> first_leak_s;  // of watching; nullopt: never
  double last_leak_s = 0;              // the last refresh that said leak
  double watched_s = 0;
  double leak_confidence = 0;  // when it was first named
  double score = 0;            // the highest confidence in a leak, named or not
  int namings = 0;             // times it became a leak
};

// Called at every refresh.
using Each = std::function<void(const Report&)>;
[[nodiscard]] Outcome watch(const Series& series, const Policy& policy, const Each& each = nullptr);

}  // namespace asyncleak::series
