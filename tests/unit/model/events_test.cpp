// What happened to single tasks of a site: steps that held the loop, tasks destroyed before they finished.
#include "scenario.h"

#include <catch2/catch.hpp>

using namespace asyncleak;

namespace {

constexpr std::uint64_t millisecond = 1'000'000;
const auto idle = [](Scenario&) {};

std::vector<Finding> findings(const Report& report, std::string_view kind) {
  std::vector<Finding> found;
  std::copy_if(report.findings.begin(), report.findings.end(), std::back_inserter(found),
               [kind](const Finding& finding) { return finding.kind == kind; });
  return found;
}

}  // namespace

TEST_CASE("slow steps are a warning from the first one on, with their number and the longest") {
  Scenario scenario;
  scenario.sample().probes.slow_step_ns = 100 * millisecond;
  auto& steps = scenario.sample().sites[0].slow_steps;
  CHECK(findings(scenario.take(), "slow-step").empty());  // not measured
  steps = SlowSteps{};
  CHECK(findings(scenario.advance(1, idle), "slow-step").empty());

  steps = SlowSteps{0, 0, 4'100 * millisecond};
  auto found = findings(scenario.advance(1, idle), "slow-step");
  REQUIRE(found.size() == 1);
  CHECK(found[0].severity == Severity::warning);
  CHECK(found[0].coroutine == "Conn.waiter");
  CHECK(found[0].why == "a step of `Conn.waiter` has held the loop for 4.1s and goes on; defined at app.py:12");

  steps = SlowSteps{1, 4'500 * millisecond, 0};
  const Report report = scenario.advance(10, idle);
  found = findings(report, "slow-step");
  REQUIRE(found.size() == 1);
  CHECK(found[0].since_s == Approx(10));
  CHECK(found[0].why == "1 step of `Conn.waiter` held the loop for more than 100ms: 4.5s; defined at app.py:12");
  REQUIRE(report.sites[0].slow_steps);
  CHECK(report.sites[0].slow_steps->count == 1);

  steps = SlowSteps{12, 4'500 * millisecond, 150 * millisecond};
  found = findings(scenario.advance(1, idle), "slow-step");
  REQUIRE(found.size() == 1);
  CHECK(found[0].why ==
        "a step of `Conn.waiter` has held the loop for 150ms and goes on; before it, 12 steps of `Conn.waiter` held "
        "the loop for more than 100ms; the longest 4.5s; defined at app.py:12");
}

TEST_CASE("tasks destroyed before they finished are a warning from the first one on") {
  Scenario scenario;
  auto& lost = scenario.sample().sites[0].destroyed_pending;
  CHECK(findings(scenario.take(), "destroyed-pending").empty());  // not known
  lost = 0;
  CHECK(findings(scenario.advance(1, idle), "destroyed-pending").empty());
  lost = 1;
  auto found = findings(scenario.advance(1, idle), "destroyed-pending");
  REQUIRE(found.size() == 1);
  CHECK(found[0].severity == Severity::warning);
  CHECK(found[0].why ==
        "1 task of `Conn.waiter` created at app.py:31 by `handler` was destroyed before it finished: nobody kept a "
        "reference");
  CHECK(found[0].hint == "keep the task, e.g. in a set with a discard callback");
  lost = 31;
  const Report report = scenario.advance(5, idle);
  found = findings(report, "destroyed-pending");
  REQUIRE(found.size() == 1);
  CHECK(found[0].since_s == Approx(5));
  CHECK(found[0].why.starts_with("31 tasks of `Conn.waiter` created at app.py:31 by `handler` were destroyed "));
  CHECK(report.sites[0].destroyed_pending == 31);
}
