#include "model/ages.h"

#include <catch2/catch.hpp>

using namespace asyncleak;

namespace {
constexpr std::int64_t s = 1'000'000'000;

SiteSample site_with(std::vector<Cohort> cohorts) {
  SiteSample site;
  for (const Cohort& cohort : cohorts) site.outstanding += cohort.count;
  site.cohorts = std::move(cohorts);
  site.first_seen_ns = 0;
  site.last_created_ns = 1000 * s;
  return site;
}
}  // namespace

TEST_CASE("the oldest is the middle of the oldest cohort, the median lies inside its cohort") {
  const SiteSample site = site_with({{900 * s, 910 * s, 2}, {980 * s, 990 * s, 8}});
  const Ages ages = ages_of(site, 1000 * s);
  CHECK(*ages.oldest_s == Approx(95));
  CHECK(*ages.median_s == Approx(1000 - (980 + 10 * 3.0 / 8)));
  CHECK_FALSE(ages.oldest_at_least);
}

TEST_CASE("a cohort cannot begin before its site nor end after its last creation") {
  SiteSample site = site_with({{500 * s, 700 * s, 1}});
  site.first_seen_ns = 650 * s;
  site.last_created_ns = 652 * s;
  const Ages ages = ages_of(site, 1000 * s);
  CHECK(*ages.oldest_s == Approx(349));
  CHECK_FALSE(ages.oldest_at_least);
}

TEST_CASE("inherited tasks are older than their site") {
  SiteSample site = site_with({{500 * s, 510 * s, 1}});
  site.first_seen_ns = 800 * s;
  CHECK(*ages_of(site, 1000 * s).oldest_s == Approx(495));
}

TEST_CASE("older than every ring, or not all accounted for, is said so") {
  CHECK(ages_of(site_with({{0, 600 * s, 3}}), 1000 * s).oldest_at_least);
  SiteSample missing = site_with({{900 * s, 901 * s, 3}});
  missing.outstanding = 5;
  CHECK(ages_of(missing, 1000 * s).oldest_at_least);
}

TEST_CASE("nothing outstanding has no age") {
  const Ages ages = ages_of(site_with({}), 1000 * s);
  CHECK_FALSE(ages.oldest_s);
  CHECK_FALSE(ages.median_s);
}

TEST_CASE("cohorts are shared out over the time asked for") {
  const SiteSample site = site_with({{900 * s, 910 * s, 10}, {950 * s, 951 * s, 4}});
  CHECK(born_between(site, 0, 1000 * s, 1000 * s) == Approx(14));
  CHECK(born_between(site, 905 * s, 940 * s, 1000 * s) == Approx(5));
  CHECK(born_between(site, 911 * s, 949 * s, 1000 * s) == Approx(0));
}
