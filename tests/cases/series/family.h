// What programs do, in families: each with many series whose figures vary over wide ranges.
//
// Used by judge_series and its test. A series is named by its family and its number; both give the seed, so that a
// series is the same everywhere. Even numbers are the half the engine was tuned on, odd ones the half it is tried on.
#pragma once

#include "world.h"

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

namespace asyncleak::series {

// Once a step of the simulation.
using Program = std::function<void(World&)>;

struct Setting {
  Watching watching;
  Program program;
};

// What the truth is.
enum class Truth {
  leak,
  healthy,
  twin,  // healthy, but for as long as a leak may take to be named nothing tells it from one
};

struct Family {
  std::string_view name;
  Truth truth;
  int count;
  std::uint64_t seed;
  Setting (*make)(Random&);
  std::string_view what;
};

[[nodiscard]] const std::vector<Family>& leaking_families();
[[nodiscard]] const std::vector<Family>& healthy_families();
[[nodiscard]] const std::vector<Family>& twin_families();

struct Series {
  const Family* family;
  int number;
  [[nodiscard]] bool tuned_on() const { return number % 2 == 0; }
  [[nodiscard]] std::uint64_t seed() const { return family->seed * 100'000 + static_cast<std::uint64_t>(number); }
};
// ROUNDS times as many as the families' counts: more numbers of the same families.
[[nodiscard]] std::vector<Series> all_series(int rounds = 1);

}  // namespace asyncleak::series
