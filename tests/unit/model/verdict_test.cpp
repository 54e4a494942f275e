#include "scenario.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <random>

using namespace asyncleak;

namespace {

// PER_SECOND tasks, evenly spread over the steps of the simulation.
class Source {
 public:
  Source(double per_second, double lifetime_s) : per_step_(per_second * 0.05), lifetime_s_(lifetime_s) {}
  void operator()(Scenario& scenario) {
    due_ += per_step_;
    const int whole = static_cast<int>(due_ + 1e-9);
    due_ -= whole;
    if (whole > 0) scenario.spawn(lifetime_s_, whole);
  }

 private:
  double per_step_, lifetime_s_;
  double due_ = 0;
};

}  // namespace

TEST_CASE("two tasks a second that stay are growing within ten seconds and a leak within half a minute") {
  Scenario scenario;
  const auto verdicts = scenario.verdicts(120, Source(2, Scenario::forever));
  CHECK(first(verdicts, Verdict::growing) > 0);
  CHECK(first(verdicts, Verdict::growing) <= 10);
  CHECK(first(verdicts, Verdict::leak) >= 25);
  CHECK(first(verdicts, Verdict::leak) <= 30);
  CHECK(verdicts.back() == Verdict::leak);
}

TEST_CASE("a leak under 200 healthy tasks a second in the same site is named and stays named") {
  Scenario scenario;
  std::mt19937 random(1);
  std::exponential_distribution<double> lifetime(2);
  std::poisson_distribution<int> arrivals(10);
  Source leak(2, Scenario::forever);
  const auto verdicts = scenario.verdicts(180, [&](Scenario& s) {
    const int count = arrivals(random);
    for (int i = 0; i < count; ++i) s.spawn(lifetime(random));
    leak(s);
  });
  CHECK(first(verdicts, Verdict::leak) >= 25);
  CHECK(first(verdicts, Verdict::leak) <= 30);
  CHECK(std::count(verdicts.begin() + 60, verdicts.end(), Verdict::leak) >= 115);
}

TEST_CASE("a leak that begins after ten healthy minutes is named within a minute and a half") {
  Scenario scenario;
  Source churn(20, 0.5);
  CHECK(never(scenario.verdicts(600, churn), Verdict::leak));
  Source leak(2, Scenario::forever);
  const auto verdicts = scenario.verdicts(90, [&](Scenario& s) {
    churn(s);
    leak(s);
  });
  CHECK(first(verdicts, Verdict::leak) > 0);
}

TEST_CASE("healthy churn with noise is churn") {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    Scenario scenario;
    std::mt19937 random(seed);
    std::exponential_distribution<double> lifetime(1);
    std::poisson_distribution<int> arrivals(10);
    const auto verdicts = scenario.verdicts(200, [&](Scenario& s) {
      const int count = arrivals(random);
      for (int i = 0; i < count; ++i) s.spawn(lifetime(random));
    });
    INFO("seed " << seed);
    CHECK(never(verdicts, Verdict::leak));
    CHECK(verdicts.back() == Verdict::churn);
  }
}

TEST_CASE("load that rises is not a leak: its tasks are young") {
  Scenario scenario;
  double due = 0;
  const auto verdicts = scenario.verdicts(200, [&](Scenario& s) {
    due += s.now() * 0.05;  // one task a second more every second, each lives a second
    const int whole = static_cast<int>(due);
    due -= whole;
    if (whole > 0) s.spawn(1, whole);
  });
  CHECK(never(verdicts, Verdict::leak));
}

TEST_CASE("a warm-up that ends is not a leak") {
  for (const double length : {5.0, 15.0, 20.0}) {
    Scenario scenario;
    Source fill(5, Scenario::forever);
    const auto verdicts = scenario.verdicts(400, [&](Scenario& s) {
      if (s.now() < length) fill(s);
    });
    INFO("length " << length);
    CHECK(never(verdicts, Verdict::leak));
    CHECK(verdicts.back() == Verdict::steady);
  }
}

TEST_CASE("a longer warm-up is taken back soon after its end") {
  Scenario scenario;
  Source fill(5, Scenario::forever);
  const auto verdicts = scenario.verdicts(300, [&](Scenario& s) {
    if (s.now() < 60) fill(s);
  });
  CHECK(never({verdicts.begin() + 90, verdicts.end()}, Verdict::leak));
}

TEST_CASE("a pool of constant size is steady, also when its members are replaced") {
  Scenario constant;
  constant.spawn(Scenario::forever, 50);
  const auto idle = constant.verdicts(60, [](Scenario&) {});
  CHECK(never(idle, Verdict::growing));
  CHECK(idle.front() == Verdict::fresh);
  CHECK(idle.back() == Verdict::steady);

  Scenario replaced;
  replaced.spawn(10, 50);
  const auto renewed = replaced.verdicts(120, Source(5, 10));
  CHECK(never(renewed, Verdict::leak));
}

TEST_CASE("bursts that drain are not a leak") {
  Scenario scenario;
  const auto verdicts = scenario.verdicts(300, [](Scenario& s) {
    if (std::fmod(s.now(), 30) < 5) s.spawn(15, 10);
  });
  CHECK(never(verdicts, Verdict::leak));
}

TEST_CASE("a sawtooth is not a leak") {
  for (const double period : {10.0, 20.0, 25.0}) {
    Scenario scenario;
    const auto verdicts = scenario.verdicts(400, [period](Scenario& s) {
      s.spawn(period - std::fmod(s.now(), period), 1);  // all end together
    });
    INFO("period " << period);
    CHECK(never(verdicts, Verdict::leak));
  }
}

TEST_CASE("the next tooth of a slow sawtooth is not news") {
  Scenario scenario;
  const auto verdicts = scenario.verdicts(600, [](Scenario& s) { s.spawn(80 - std::fmod(s.now(), 80), 1); });
  CHECK(never({verdicts.begin() + 80, verdicts.end()}, Verdict::leak));
}

TEST_CASE("a leak that was repaired is taken back") {
  Scenario scenario;
  Source leak(2, Scenario::forever);
  REQUIRE(scenario.verdicts(120, leak).back() == Verdict::leak);
  const auto verdicts = scenario.verdicts(120, Source(2, 0.5));
  CHECK(verdicts.back() == Verdict::churn);
}
