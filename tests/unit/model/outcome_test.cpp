#include "model/outcome.h"

#include <catch2/catch.hpp>

namespace asyncleak {
namespace {

constexpr std::int64_t second = 1'000'000'000;

Finding finding(const std::string& kind, const std::string& coroutine, pid_t pid = 42,
                Severity severity = Severity::leak) {
  Finding made;
  made.kind = kind;
  made.severity = severity;
  made.pid = pid;
  made.coroutine = coroutine;
  made.why = "as told by " + coroutine;
  return made;
}

Report report_at(std::int64_t seconds, std::vector<Finding> findings, bool ended = false) {
  Report report;
  report.wall_ns = (1'795'234'618 + seconds) * second;
  report.monotonic_ns = (1000 + seconds) * second;
  report.processes.emplace_back().process.pid = 42;
  report.processes.back().process.ended = ended;
  report.findings = std::move(findings);
  return report;
}

}  // namespace

TEST_CASE("what stood is remembered, with when and as it was told last") {
  Outcome outcome;
  outcome.add(report_at(0, {}));
  outcome.add(report_at(1, {finding("task-leak", "waiter")}));
  Finding later = finding("task-leak", "waiter");
  later.why = "412 tasks";
  outcome.add(report_at(2, {later}));
  outcome.add(report_at(5, {}));

  const auto all = outcome.findings();
  REQUIRE(all.size() == 1);
  CHECK(all[0].finding.why == "412 tasks");
  CHECK(all[0].first_ns == 1001 * second);
  CHECK(all[0].last_ns == 1002 * second);
  CHECK(all[0].last_wall_ns == (1'795'234'618 + 2) * second);
  CHECK_FALSE(all[0].standing);
  CHECK(outcome.watched_s() == 5);
  CHECK(outcome.first_wall_ns() == 1'795'234'618 * second);
}

TEST_CASE("kind, process and site tell findings apart; those that stand come first, and leaks before warnings") {
  Outcome outcome;
  outcome.add(report_at(0, {finding("task-leak", "gone")}));
  Finding of_site = finding("task-leak", "waiter");
  of_site.site = "00112233aabbccdd";
  Finding other_site = of_site;
  other_site.site = "ffffffffffffffff";
  outcome.add(report_at(1, {finding("overload", "", 42, Severity::warning), of_site, finding("done-held", "waiter"),
                            finding("task-leak", "waiter"), finding("task-leak", "waiter", 43)}));
  outcome.add(report_at(
      2, {finding("overload", "", 42, Severity::warning), of_site, other_site, finding("task-leak", "waiter", 43)}));

  std::vector<std::string> told;
  for (const PastFinding& past : outcome.findings()) {
    told.push_back((past.standing ? "+" : "-") + past.finding.kind + " " + past.finding.site +
                   std::to_string(past.finding.pid));
  }
  CHECK(told == std::vector<std::string>{"+task-leak 00112233aabbccdd42", "+task-leak 43",
                                         "+task-leak ffffffffffffffff42", "+overload 42", "-task-leak 42",
                                         "-done-held 42", "-task-leak 42"});
}

TEST_CASE("what stood when its process ended stands, as long as the process is shown") {
  const auto standing = [](std::int64_t last_told, std::int64_t ended) {
    Outcome outcome;
    for (std::int64_t now = 0; now <= ended + 100; ++now) {
      std::vector<Finding> findings;
      if (now <= last_told) findings.push_back(finding("task-leak", "waiter"));
      outcome.add(report_at(now, findings, now >= ended));
    }
    return outcome.findings().at(0).standing;
  };
  // asyncio.run() cancels what is left: the look before the end is the last that shows it.
  CHECK(standing(19, 20));
  CHECK(standing(18, 20));
  // Its tasks ended, and then the program did.
  CHECK_FALSE(standing(16, 20));
}

TEST_CASE("a process that is not shown any more takes its findings along") {
  Outcome outcome;
  outcome.add(report_at(0, {finding("task-leak", "waiter")}));
  outcome.add(report_at(1, {}, true));
  Report without = report_at(2, {});
  without.processes.clear();
  outcome.add(without);
  CHECK_FALSE(outcome.findings().at(0).standing);
}

TEST_CASE("seldom refreshed, the last look is as far away as a refresh takes") {
  Outcome outcome;
  outcome.add(report_at(0, {}));
  outcome.add(report_at(60, {finding("task-leak", "waiter")}));
  outcome.add(report_at(115, {}, true));
  CHECK(outcome.findings().at(0).standing);
}

TEST_CASE("a PID that is used again lives") {
  Outcome outcome;
  outcome.add(report_at(0, {finding("task-leak", "waiter")}));
  outcome.add(report_at(1, {}, true));
  CHECK(outcome.findings().at(0).standing);
  outcome.add(report_at(2, {}));
  CHECK_FALSE(outcome.findings().at(0).standing);
}

TEST_CASE("of too many, those that matter least are only counted") {
  Outcome outcome(3);
  outcome.add(report_at(0, {finding("task-leak", "old leak")}));
  outcome.add(report_at(1, {finding("task-leak", "standing"), finding("overload", "", 42, Severity::warning)}));
  CHECK(outcome.left_out() == 0);
  outcome.add(report_at(2, {finding("task-leak", "standing"), finding("task-leak", "another")}));
  CHECK(outcome.left_out() == 1);
  std::vector<std::string> kept;
  for (const PastFinding& past : outcome.findings()) kept.push_back(past.finding.coroutine);
  CHECK(kept == std::vector<std::string>{"standing", "another", "old leak"});
}

}  // namespace asyncleak
