#include "model/survival.h"

#include <algorithm>
#include <cmath>

namespace asyncleak {
namespace {

constexpr double second_ns = 1e9;

// Of those born since the sample before, the dead lived shortly: most lives are much shorter than a refresh.
constexpr double age_of_young_dead = 0.25;

}  // namespace

Mortality& Mortality::operator+=(const Mortality& other) {
  deaths += other.deaths;
  exposure_s += other.exposure_s;
  return *this;
}

void LifeTable::add(double age_s, const Mortality& mortality) {
  const int exponent = age_s < 1 ? 0 : std::ilogb(age_s) + 1;
  ages_[std::min<std::size_t>(static_cast<std::size_t>(exponent), classes - 1)] += mortality;
}

void LifeTable::forget(double seconds) {
  const double kept = std::exp(-seconds / memory_s);
  for (Mortality& each : ages_) {
    each.deaths *= kept;
    each.exposure_s *= kept;
  }
}

void Survivors::update(const SiteSample& site, std::int64_t now_ns) {
  if (then_ns_ != 0 && now_ns > then_ns_ && site.created_total >= created_) compare(site, now_ns);
  // Where nothing was born and nothing died, those of then are as true, and finer.
  const bool same = created_ == site.created_total && destroyed_ == site.destroyed_total && then_ns_ != 0;
  if (!same) cohorts_ = site.cohorts;
  destroyed_ = site.destroyed_total;
  created_ = site.created_total;
  then_ns_ = now_ns;
}

// Classes only ever merge, so that those of then and those of now that overlap make a group with the same births.
void Survivors::compare(const SiteSample& site, std::int64_t now_ns) {
  const double seconds = static_cast<double>(now_ns - then_ns_) / second_ns;
  const std::int64_t middle_ns = then_ns_ + (now_ns - then_ns_) / 2;
  table_.forget(seconds);
  const auto born = static_cast<double>(site.created_total - created_);
  bool young_seen = false;
  auto before = cohorts_.begin();
  auto after = site.cohorts.begin();
  while (before != cohorts_.end() || after != site.cohorts.end()) {
    std::int64_t from = INT64_MAX;
    if (before != cohorts_.end()) from = before->born_from_ns;
    if (after != site.cohorts.end()) from = std::min(from, after->born_from_ns);
    std::int64_t to = from + 1;
    double then = 0, now = 0;
    for (bool grew = true; grew;) {
      grew = false;
      for (; before != cohorts_.end() && before->born_from_ns < to; ++before, grew = true) {
        to = std::max(to, before->born_to_ns);
        then += static_cast<double>(before->count);
      }
      for (; after != site.cohorts.end() && after->born_from_ns < to; ++after, grew = true) {
        to = std::max(to, after->born_to_ns);
        now += static_cast<double>(after->count);
      }
      if (to > then_ns_) to = INT64_MAX;  // one group with all that were born since
    }
    if (to == INT64_MAX) {
      young_seen = true;
      const double dead = std::max(0.0, then + born - now);
      table_.add(age_of_young_dead * seconds, {dead, (then + now) / 2 * seconds});
      continue;
    }
    const std::int64_t begin_ns = from < site.first_seen_ns && site.first_seen_ns < to ? site.first_seen_ns : from;
    const std::int64_t born_ns = begin_ns + (to - begin_ns) / 2;
    const double age_s = static_cast<double>(middle_ns - born_ns) / second_ns;
    table_.add(age_s, {std::max(0.0, then - now), (then + now) / 2 * seconds});
  }
  if (!young_seen) table_.add(age_of_young_dead * seconds, {born, 0});
}

}  // namespace asyncleak
