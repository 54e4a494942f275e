#include "model/survival.h"

#include <catch2/catch.hpp>

using namespace asyncleak;

namespace {

constexpr std::int64_t s = 1'000'000'000;

SiteSample site_with(std::uint64_t created, std::vector<Cohort> cohorts) {
  SiteSample site;
  site.created_total = created;
  site.first_seen_ns = 1 * s;
  for (const Cohort& cohort : cohorts) site.outstanding += cohort.count;
  site.destroyed_total = created - site.outstanding;
  site.last_created_ns = cohorts.empty() ? 0 : cohorts.back().born_to_ns;
  site.cohorts = std::move(cohorts);
  return site;
}

double deaths_beyond(const LifeTable& table, std::size_t age_class) {
  double deaths = 0;
  for (std::size_t i = age_class; i < LifeTable::classes; ++i) deaths += table.at(i).deaths;
  return deaths;
}

}  // namespace

TEST_CASE("deaths are those of the class they were born in, and exposure is what its members lived") {
  Survivors survivors;
  survivors.update(site_with(20, {{90 * s, 91 * s, 10}, {98 * s, 99 * s, 10}}), 100 * s);
  survivors.update(site_with(20, {{90 * s, 91 * s, 10}, {98 * s, 99 * s, 4}}), 101 * s);
  CHECK(survivors.table().at(2).deaths == Approx(6));  // 2 s old
  CHECK(survivors.table().at(2).exposure_s == Approx(7));
  CHECK(survivors.table().at(4).deaths == 0);  // 10 s old
  CHECK(survivors.table().at(4).exposure_s == Approx(10));
}

TEST_CASE("born and gone between two samples is a young death, whatever is left of them") {
  Survivors survivors;
  survivors.update(site_with(5, {{90 * s, 91 * s, 5}}), 100 * s);
  survivors.update(site_with(1005, {{90 * s, 91 * s, 5}}), 101 * s);
  survivors.update(site_with(2005, {{90 * s, 91 * s, 5}, {101 * s, 102 * s, 3}}), 102 * s);
  CHECK(survivors.table().at(0).deaths == Approx(1000 * std::exp(-1 / LifeTable::memory_s) + 997));
  CHECK(deaths_beyond(survivors.table(), 1) == 0);
}

TEST_CASE("classes that merge are not deaths") {
  Survivors survivors;
  survivors.update(site_with(9, {{64 * s, 65 * s, 2}, {66 * s, 67 * s, 3}, {70 * s, 71 * s, 4}}), 100 * s);
  survivors.update(site_with(9, {{64 * s, 72 * s, 9}}), 101 * s);
  CHECK(deaths_beyond(survivors.table(), 0) == 0);
  survivors.update(site_with(9, {{64 * s, 72 * s, 8}}), 102 * s);
  CHECK(deaths_beyond(survivors.table(), 5) == Approx(1));
}

TEST_CASE("a count that began anew is not compared with what was before") {
  Survivors survivors;
  survivors.update(site_with(500, {{90 * s, 91 * s, 400}}), 100 * s);
  survivors.update(site_with(3, {{100 * s, 101 * s, 3}}), 101 * s);
  CHECK(deaths_beyond(survivors.table(), 0) == 0);
}
