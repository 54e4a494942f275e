// How old the bytes are that a site allocated and did not free, and how bytes per minute are written.
//
// Used by allocation_state.cpp, findings.cpp and src/view. Pure; time is an argument.
#pragma once

#include "sample/allocations.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace asyncleak {

// BYTES not freed that were allocated at least FROM_S and less than TO_S ago.
struct AgedBytes {
  double from_s = 0;
  std::optional<double> to_s;  // nullopt: however long ago
  std::uint64_t bytes = 0;
};

// Youngest first, without gaps, up to the oldest that has any; the bounds are 1 s, 10 s, 1 min, 10 min, 1 h, 6 h and
// 1 day. The sum is that of COHORTS; one that a bound cuts is shared out evenly.
[[nodiscard]] std::vector<AgedBytes> bytes_by_age(const std::vector<ByteCohort>& cohorts, std::int64_t now_ns);
[[nodiscard]] std::uint64_t bytes_older_than(const std::vector<ByteCohort>& cohorts, double seconds,
                                             std::int64_t now_ns);

// "+1.20MiB", "-340B", "0B".
[[nodiscard]] std::string format_bytes_change(double bytes);

}  // namespace asyncleak
