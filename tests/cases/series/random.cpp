#include "random.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>

namespace asyncleak::series {

Random::Random(std::uint64_t seed) {
  for (std::uint64_t& word : state_) {
    seed += 0x9E3779B97F4A7C15;
    std::uint64_t mixed = seed;
    mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
    word = mixed ^ (mixed >> 31);
  }
}

std::uint64_t Random::next() {
  auto& s = state_;
  const std::uint64_t result = std::rotl(s[0] + s[3], 23) + s[0];
  const std::uint64_t shifted = s[1] << 17;
  s[2] ^= s[0];
  s[3] ^= s[1];
  s[1] ^= s[2];
  s[0] ^= s[3];
  s[2] ^= shifted;
  s[3] = std::rotl(s[3], 45);
  return result;
}

double Random::uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

double Random::log_between(double low, double high) { return std::exp(between(std::log(low), std::log(high))); }

double Random::exponential(double mean) { return -mean * std::log(1 - uniform()); }

double Random::normal() {
  const double radius = std::sqrt(-2 * std::log(1 - uniform()));
  return radius * std::cos(2 * std::numbers::pi * uniform());
}

int Random::poisson(double mean) {
  if (mean <= 0) return 0;
  if (mean > 60) return std::max(0, static_cast<int>(std::lround(mean + std::sqrt(mean) * normal())));
  const double limit = std::exp(-mean);
  int count = 0;
  double product = uniform();
  while (product > limit) {
    product *= uniform();
    ++count;
  }
  return count;
}

}  // namespace asyncleak::series
