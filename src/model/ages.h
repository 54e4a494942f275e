// How old the outstanding tasks of a site are, from the kernel's birth cohorts.
//
// Used by model.cpp and verdict.cpp. Pure; time is an argument. Knows cohorts, not rings.
#pragma once

#include "sample/sample.h"

#include <cstdint>
#include <optional>

namespace asyncleak {

struct Ages {
  std::optional<double> oldest_s, median_s;  // nullopt: nothing outstanding, or no cohorts
  bool oldest_at_least = false;
};

// When a cohort's tasks can have been born: not before the site was seen (unless all of them were inherited from the
// parent), not after its last creation, not in the future.
struct BirthSpan {
  std::int64_t from, to;
};
[[nodiscard]] BirthSpan births(const SiteSample& site, const Cohort& cohort, std::int64_t now_ns);

[[nodiscard]] Ages ages_of(const SiteSample& site, std::int64_t now_ns);

// Outstanding tasks that were born in [from_ns, to_ns); cohorts that stick out count by their share.
[[nodiscard]] double born_between(const SiteSample& site, std::int64_t from_ns, std::int64_t to_ns,
                                  std::int64_t now_ns);

}  // namespace asyncleak
