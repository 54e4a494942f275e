#include "scenario.h"

#include <catch2/catch.hpp>

using namespace asyncleak;

TEST_CASE("tasks from before we watched are older than their age says, others are as old as that") {
  for (const bool preexisting : {true, false}) {
    CAPTURE(preexisting);
    Scenario scenario;
    auto identity = *scenario.sample().sites[0].identity;
    identity.preexisting = preexisting;
    scenario.sample().sites[0].identity = std::make_shared<SiteIdentity>(identity);
    scenario.spawn(60, 5);
    const Report living = scenario.advance(30, [](Scenario&) {});
    CHECK(living.sites[0].outstanding == 5);
    CHECK(living.sites[0].oldest_s.value() == Approx(30).margin(1));
    CHECK(living.sites[0].oldest_at_least == preexisting);

    const Report ended = scenario.advance(60, [](Scenario&) {});
    CHECK_FALSE(ended.sites[0].oldest_s);
    CHECK_FALSE(ended.sites[0].oldest_at_least);
  }
}
