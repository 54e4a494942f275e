// The parts that programs of the families are made of.
//
// Used by families_*.cpp.
#pragma once

#include "family.h"

#include <memory>

namespace asyncleak::series {

// Lifetimes in seconds.
using Lifetime = std::function<double(Random&)>;
[[nodiscard]] Lifetime exponential(double mean_s);
[[nodiscard]] Lifetime lognormal(double median_s, double sigma);
[[nodiscard]] Lifetime uniform(double from_s, double to_s);
[[nodiscard]] Lifetime fixed(double seconds);
[[nodiscard]] Lifetime any_short(Random& random, double longest_mean_s);

// Births per second at a moment of the program's life.
using Rate = std::function<double(double now_s)>;
[[nodiscard]] Rate constant(double per_s);

// Load as it comes: Poisson, times a noise that changes from second to second (SIGMA of its logarithm, remembered for
// about ten seconds). A SHARE of those born live for ever.
[[nodiscard]] Program load(Rate rate, Lifetime lifetime, double sigma = 0, double leaked_share = 0);
[[nodiscard]] Program both(Program one, Program other);

// How the watcher looks: any interval, now and then a missed refresh.
[[nodiscard]] Watching any_watching(Random& random);
// COUNT objects that are there when the watching begins, with what is left of their lives.
[[nodiscard]] Program already_there(const Watching& watching, double count, Lifetime rest);

}  // namespace asyncleak::series
