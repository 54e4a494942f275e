// When those that stay came: evenly and still, as a leak makes them, or at once, ever fewer, no longer.
//
// Used by verdict.cpp. Pure.
#pragma once

#include "model/history.h"
#include "sample/sample.h"

#include <array>
#include <cstdint>
#include <optional>

namespace asyncleak {

// How many came in each of equal slices of a window, oldest first.
struct Arrivals {
  static constexpr std::size_t slices = 24;
  std::array<double, slices> counts{};
  double window_s = 0;
};

struct ArrivalPolicy {
  int parts_of_six = 5;        // of six equal parts of the window, so many have at least ...
  double part_share = 0.25;    // ... this share of the mean part
  double silence = 3.5;        // expected slices with arrivals that may be missing at the end: one in 30 by chance
  double slower_share = 0.85;  // the last third has less than this share of the first ...
  double slower_sigmas = 2.5;  // ... by so many standard deviations: it is coming to an end
};

// Those that live now and were born in [from_ns, to_ns).
[[nodiscard]] Arrivals arrivals_of(const SiteSample& site, std::int64_t from_ns, std::int64_t to_ns,
                                   std::int64_t now_ns);
// How the floor of a number rose since FROM_S.
[[nodiscard]] Arrivals arrivals_of(const History& history, double from_s);

struct ArrivalShape {
  double total = 0;
  double busy_slices = 0;
  bool even = false;    // they came over the whole window
  bool still = false;   // and go on
  bool slower = false;  // but ever fewer
};
[[nodiscard]] ArrivalShape shape_of(const Arrivals& arrivals, double unit, const ArrivalPolicy& policy);

}  // namespace asyncleak
