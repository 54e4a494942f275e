// The engine against the series: below these figures it is broken.
#include "tables.h"

#include <catch2/catch.hpp>

using namespace asyncleak;
using namespace asyncleak::series;

TEST_CASE("of the simulated series, both halves: recall at least 98 %, precision at least 99 %") {
  const auto outcomes = judge_all({});
  for (const Half half : {Half::tuned_on, Half::tried_on}) {
    const Figures sum = figures(outcomes, half);
    CAPTURE(half == Half::tuned_on, sum.found, sum.leaking, sum.accused, sum.healthy);
    CHECK(sum.leaking >= 60);
    CHECK(sum.healthy >= 60);
    CHECK(sum.recall() >= 0.98);
    CHECK(sum.precision() >= 0.99);
  }
}
