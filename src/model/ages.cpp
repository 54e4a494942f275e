#include "model/ages.h"

#include <algorithm>

namespace asyncleak {

BirthSpan births(const SiteSample& site, const Cohort& cohort, std::int64_t now_ns) {
  BirthSpan span{cohort.born_from_ns, std::min(cohort.born_to_ns, now_ns)};
  if (span.from < site.first_seen_ns && site.first_seen_ns < span.to) span.from = site.first_seen_ns;
  if (span.from <= site.last_created_ns && site.last_created_ns < span.to) span.to = site.last_created_ns;
  span.to = std::max(span.from, span.to);
  return span;
}

namespace {

constexpr double second_ns = 1e9;
// A cohort wider than this share of its own age says "older than", not "this old".
constexpr double widest_share = 0.25;

double age_s(std::int64_t born_ns, std::int64_t now_ns) {
  return std::max(0.0, static_cast<double>(now_ns - born_ns) / second_ns);
}

std::int64_t point_in(BirthSpan span, double share) {
  return span.from + static_cast<std::int64_t>(share * static_cast<double>(span.to - span.from));
}

double median_age(const SiteSample& site, std::uint64_t total, std::int64_t now_ns) {
  double left = static_cast<double>(total) / 2;
  for (const Cohort& cohort : site.cohorts) {
    const auto count = static_cast<double>(cohort.count);
    if (left <= count) return age_s(point_in(births(site, cohort, now_ns), left / count), now_ns);
    left -= count;
  }
  return 0;
}

}  // namespace

Ages ages_of(const SiteSample& site, std::int64_t now_ns) {
  std::uint64_t total = 0;
  for (const Cohort& cohort : site.cohorts) total += cohort.count;
  if (total == 0) return {};
  const BirthSpan oldest = births(site, site.cohorts.front(), now_ns);
  Ages ages;
  ages.oldest_s = age_s(point_in(oldest, 0.5), now_ns);
  ages.median_s = median_age(site, total, now_ns);
  const double width_s = static_cast<double>(oldest.to - oldest.from) / second_ns;
  // Tasks of a second or less are shown in tenths; their cohort is always wide.
  const bool vague = *ages.oldest_s > 2 && width_s > widest_share * *ages.oldest_s;
  ages.oldest_at_least = vague || total < site.outstanding;
  return ages;
}

double born_between(const SiteSample& site, std::int64_t from_ns, std::int64_t to_ns, std::int64_t now_ns) {
  double born = 0;
  for (const Cohort& cohort : site.cohorts) {
    const BirthSpan span = births(site, cohort, now_ns);
    const std::int64_t begin = std::max(span.from, from_ns);
    const std::int64_t end = std::min(span.to, to_ns);
    if (span.from == span.to) {
      if (from_ns <= span.from && span.from < to_ns) born += static_cast<double>(cohort.count);
    } else if (begin < end) {
      born += static_cast<double>(cohort.count) * static_cast<double>(end - begin) /
              static_cast<double>(span.to - span.from);
    }
  }
  return born;
}

}  // namespace asyncleak
