#include "scenario.h"

#include <catch2/catch.hpp>

using namespace asyncleak;

namespace {

const auto idle = [](Scenario&) {};

std::vector<Finding> findings(const Report& report) {
  std::vector<Finding> found;
  std::copy_if(report.findings.begin(), report.findings.end(), std::back_inserter(found),
               [](const Finding& finding) { return finding.kind == "never-awaited"; });
  return found;
}

}  // namespace

TEST_CASE("never-awaited coroutines are a warning each, from the first one on, with their rate") {
  Scenario scenario;
  CHECK(findings(scenario.take()).empty());
  scenario.sample().processes[0].unawaited = {{"fetch", "/srv/app.py", 7, 1}, {"Feed.<odd>\n", "", std::nullopt, 40}};
  auto found = findings(scenario.advance(1, idle));
  REQUIRE(found.size() == 2);
  CHECK(found[0].severity == Severity::warning);
  CHECK(found[0].pid == 42);
  CHECK(found[0].coroutine == "fetch");
  CHECK(found[0].file == "/srv/app.py");
  CHECK(found[0].line == 7);
  CHECK_FALSE(found[0].outstanding);
  CHECK_FALSE(found[0].growth_per_min);
  CHECK(found[0].why ==
        "1 coroutine `fetch` defined at app.py:7 was destroyed without ever having been awaited; an `await` is missing "
        "where it is called");
  CHECK(found[1].why.starts_with("40 coroutines `Feed.<odd>"));
  CHECK(found[1].why.ends_with(
      "` were destroyed without ever having been awaited; an `await` is missing where it is called"));
  CHECK(found[1].why.find('\n') == std::string::npos);

  for (int i = 0; i < 60; ++i) {  // one in twenty seconds
    if (i % 20 == 19) ++scenario.sample().processes[0].unawaited[0].count;
    found = findings(scenario.advance(1, idle));
  }
  REQUIRE(found.size() == 2);
  CHECK(found[0].severity == Severity::warning);
  CHECK(found[0].since_s == Approx(60));
  REQUIRE(found[0].growth_per_min);
  CHECK(*found[0].growth_per_min == Approx(3).margin(0.5));
  CHECK(found[0].why.starts_with(
      "4 coroutines `fetch` defined at app.py:7 were destroyed without ever having been awaited; +"));
  CHECK(found[1].growth_per_min == 0.0);
}

TEST_CASE("a coroutine of the same name on another line, or in another process, is another finding") {
  Scenario scenario;
  scenario.sample().processes[0].unawaited = {{"fetch", "/srv/app.py", 7, 1}, {"fetch", "/srv/app.py", 90, 2}};
  auto other = scenario.sample().processes[0];
  other.id = 8;
  other.pid = 43;
  scenario.sample().processes.push_back(other);
  CHECK(findings(scenario.take()).size() == 4);
  scenario.sample().processes.pop_back();  // it ended
  CHECK(findings(scenario.advance(1, idle)).size() == 2);
}
