// Random numbers that are the same on every machine and with every library: a seed names a series for good.
//
// Used by the series only. xoshiro256++ (Blackman and Vigna), seeded by splitmix64.
#pragma once

#include <array>
#include <cstdint>

namespace asyncleak::series {

class Random {
 public:
  explicit Random(std::uint64_t seed);

  [[nodiscard]] double uniform();  // [0, 1)
  [[nodiscard]] double between(double low, double high) { return low + (high - low) * uniform(); }
  [[nodiscard]] double log_between(double low, double high);  // evenly in orders of magnitude
  [[nodiscard]] bool chance(double probability) { return uniform() < probability; }
  [[nodiscard]] double exponential(double mean);
  [[nodiscard]] double normal();
  [[nodiscard]] int poisson(double mean);

 private:
  std::uint64_t next();
  std::array<std::uint64_t, 4> state_;
};

}  // namespace asyncleak::series
