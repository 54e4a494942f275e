#include "programs.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace asyncleak::series {

Lifetime exponential(double mean_s) {
  return [mean_s](Random& random) { return random.exponential(mean_s); };
}

Lifetime lognormal(double median_s, double sigma) {
  return [median_s, sigma](Random& random) { return median_s * std::exp(sigma * random.normal()); };
}

Lifetime uniform(double from_s, double to_s) {
  return [from_s, to_s](Random& random) { return random.between(from_s, to_s); };
}

Lifetime fixed(double seconds) {
  return [seconds](Random&) { return seconds; };
}

Lifetime any_short(Random& random, double longest_mean_s) {
  const double mean_s = random.log_between(longest_mean_s / 20, longest_mean_s);
  switch (static_cast<int>(random.uniform() * 3)) {
    case 0:
      return exponential(mean_s);
    case 1:
      return lognormal(mean_s * 0.7, random.between(0.4, 0.9));
    default:
      return uniform(0, 2 * mean_s);
  }
}

Rate constant(double per_s) {
  return [per_s](double) { return per_s; };
}

Program load(Rate rate, Lifetime lifetime, double sigma, double leaked_share) {
  return
      [rate = std::move(rate), lifetime = std::move(lifetime), sigma, leaked_share, mood = 0.0](World& world) mutable {
        Random& random = world.random();
        if (sigma > 0) {
          constexpr double memory_s = 10;
          const double kept = std::exp(-World::step_s / memory_s);
          mood = kept * mood + sigma * std::sqrt(1 - kept * kept) * random.normal();
        }
        const int births = random.poisson(rate(world.now_s()) * World::step_s * std::exp(mood - sigma * sigma / 2));
        for (int i = 0; i < births; ++i) {
          const bool stays = leaked_share > 0 && random.chance(leaked_share);
          world.spawn(stays ? World::forever : lifetime(random));
        }
      };
}

Program both(Program one, Program other) {
  return [one = std::move(one), other = std::move(other)](World& world) mutable {
    one(world);
    other(world);
  };
}

Watching any_watching(Random& random) {
  Watching watching;
  constexpr std::array intervals_s = {0.5, 1.0, 1.0, 1.0, 2.0, 3.0, 5.0};
  watching.interval_s = intervals_s.at(static_cast<std::size_t>(random.uniform() * intervals_s.size()));
  watching.jitter = random.between(0, 0.1);
  watching.missed = random.chance(0.3) ? random.between(0.02, 0.1) : 0;
  watching.census_interval_s = std::max(watching.interval_s, random.between(1, 5));
  return watching;
}

Program already_there(const Watching& watching, double count, Lifetime rest) {
  return [at_s = watching.attach_s, count, rest = std::move(rest), done = false](World& world) mutable {
    if (done || world.now_s() < at_s - 2 * World::step_s) return;
    done = true;
    for (int i = 0; i < static_cast<int>(count); ++i) world.spawn(rest(world.random()));
  };
}

}  // namespace asyncleak::series
