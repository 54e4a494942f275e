#include "model/byte_ages.h"

#include "util/text.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace asyncleak {
namespace {

constexpr std::array bounds_s = {1.0, 10.0, 60.0, 600.0, 3600.0, 21'600.0, 86'400.0};

// Of one cohort, the share that was born before a moment.
double share_before(const ByteCohort& cohort, std::int64_t moment_ns, std::int64_t now_ns) {
  const std::int64_t end_ns = std::min(cohort.born_to_ns, now_ns);  // the ring's last slot reaches into the future
  if (end_ns <= cohort.born_from_ns) return cohort.born_from_ns < moment_ns ? 1 : 0;
  const double share =
      static_cast<double>(moment_ns - cohort.born_from_ns) / static_cast<double>(end_ns - cohort.born_from_ns);
  return std::clamp(share, 0.0, 1.0);
}

}  // namespace

std::uint64_t bytes_older_than(const std::vector<ByteCohort>& cohorts, double seconds, std::int64_t now_ns) {
  const std::int64_t moment_ns = now_ns - static_cast<std::int64_t>(seconds * 1e9);
  double bytes = 0;
  for (const ByteCohort& cohort : cohorts) {
    bytes += static_cast<double>(cohort.bytes) * share_before(cohort, moment_ns, now_ns);
  }
  return static_cast<std::uint64_t>(std::llround(bytes));
}

std::vector<AgedBytes> bytes_by_age(const std::vector<ByteCohort>& cohorts, std::int64_t now_ns) {
  std::uint64_t left = 0;
  for (const ByteCohort& cohort : cohorts) left += cohort.bytes;
  std::vector<AgedBytes> ages;
  double from_s = 0;
  for (const double bound_s : bounds_s) {
    if (left == 0) return ages;
    const std::uint64_t older = std::min(left, bytes_older_than(cohorts, bound_s, now_ns));
    ages.push_back({from_s, bound_s, left - older});
    left = older;
    from_s = bound_s;
  }
  if (left > 0) ages.push_back({from_s, std::nullopt, left});
  return ages;
}

std::string format_bytes_change(double bytes) {
  const auto whole = static_cast<std::uint64_t>(std::llround(std::abs(bytes)));
  const std::string_view sign = whole == 0 ? "" : bytes > 0 ? "+" : "-";
  return std::string(sign) + format_bytes(whole);
}

}  // namespace asyncleak
