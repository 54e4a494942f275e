// At which age objects of a site die: a life table, from how the kernel's birth classes shrink between two samples.
//
// Used by site_state.cpp, allocation_state.cpp and verdict.cpp. Pure; time is an argument. Knows nothing of verdicts.
#pragma once

#include "sample/sample.h"

#include <array>
#include <cstdint>
#include <vector>

namespace asyncleak {

// Deaths among those who lived at some ages, and for how many object-seconds those ages were lived under our eyes.
struct Mortality {
  double deaths = 0;
  double exposure_s = 0;
  Mortality& operator+=(const Mortality& other);
};

// By age: class 0 is below a second, class k from 2^(k-1) to 2^k seconds. What is long past is forgotten by and by.
class LifeTable {
 public:
  static constexpr std::size_t classes = 16;  // the last one begins at 4.5 hours
  static constexpr double memory_s = 180;     // after so long a death counts for 1/e of one

  static constexpr double begin_s(std::size_t age_class) {
    return age_class == 0 ? 0 : static_cast<double>(1U << (age_class - 1));
  }
  [[nodiscard]] const Mortality& at(std::size_t age_class) const { return ages_[age_class]; }
  void add(double age_s, const Mortality& mortality);
  void forget(double seconds);

 private:
  std::array<Mortality, classes> ages_{};
};

// Compares the classes of birth of two samples, however they were merged in between.
class Survivors {
 public:
  void update(const SiteSample& site, std::int64_t now_ns);
  [[nodiscard]] const LifeTable& table() const { return table_; }
  [[nodiscard]] const SharedList<Cohort>& cohorts() const { return cohorts_; }  // of the last sample

 private:
  void compare(const SiteSample& site, std::int64_t now_ns);

  LifeTable table_;
  SharedList<Cohort> cohorts_;
  std::uint64_t created_ = 0, destroyed_ = 0;
  std::int64_t then_ns_ = 0;  // 0: no sample yet
};

}  // namespace asyncleak
