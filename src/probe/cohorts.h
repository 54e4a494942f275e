// The kernel's birth-cohort rings as disjoint age classes.
//
// Used by map_reader.cpp. Pure.
#pragma once

#include "asyncleak.h"
#include "asyncleak_memory.h"
#include "sample/sample.h"

#include <cstdint>
#include <vector>

namespace asyncleak::probe {

// OUTSTANDING is the truth the result sums to. Tasks older than the coarsest ring are in none:
// they become one cohort that begins at OLDEST_NS, the earliest birth possible. Where that is in
// the rings, what is missing was born or ended while they were read, and counts as just born.
[[nodiscard]] std::vector<Cohort> disjoint_cohorts(const al_site& site, std::int64_t now_ns, std::int64_t oldest_ns,
                                                   std::uint64_t outstanding);
// The same of BYTES that were not freed.
[[nodiscard]] std::vector<ByteCohort> disjoint_cohorts(const al_site_memory& memory, std::int64_t now_ns,
                                                       std::int64_t oldest_ns, std::uint64_t bytes);

}  // namespace asyncleak::probe
