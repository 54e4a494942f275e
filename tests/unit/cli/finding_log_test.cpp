#include "cli/finding_log.h"

#include "model/site_key.h"

#include <catch2/catch.hpp>

namespace asyncleak::cli {
namespace {

Finding leak_of(pid_t pid, std::string coroutine) {
  Finding finding;
  finding.kind = "task-leak";
  finding.severity = Severity::leak;
  finding.pid = pid;
  finding.coroutine = std::move(coroutine);
  finding.file = "/srv/app.py";
  finding.line = 12;
  finding.site = site_key(identity_of(finding));
  finding.since_s = 30;
  finding.why = "412 of 412 never end";
  return finding;
}

Report report_of(std::vector<Finding> findings) {
  Report report;
  report.interval_s = 1;
  report.findings = std::move(findings);
  ProcessRow row;
  row.process.pid = 42;
  row.process.comm = "python3";
  row.process.unit = "shop.service";
  report.processes.push_back(row);
  return report;
}

}  // namespace

TEST_CASE("a finding is told when it begins and when it ends, and not between") {
  FindingLog log;
  const auto begun = log.update(report_of({leak_of(42, "Conn.waiter")}));
  REQUIRE(begun.size() == 1);
  CHECK(begun[0].level == Level::warning);
  CHECK(begun[0].text ==
        "leak: task-leak in python3[42] (shop.service): Conn.waiter at app.py:12: 412 of 412 never end");
  CHECK(log.update(report_of({leak_of(42, "Conn.waiter")})).empty());
  const auto ended = log.update(report_of({}));
  REQUIRE(ended.size() == 1);
  CHECK(ended[0].level == Level::info);
  CHECK(ended[0].text == "ended: task-leak in python3[42] (shop.service): Conn.waiter at app.py:12, after 31 s");
  CHECK(log.update(report_of({})).empty());
}

TEST_CASE("a warning that becomes a leak is told again, a leak that becomes a warning is not") {
  FindingLog log;
  Finding finding = leak_of(42, "Conn.waiter");
  finding.severity = Severity::warning;
  const auto warned = log.update(report_of({finding}));
  REQUIRE(warned.size() == 1);
  CHECK(warned[0].level == Level::notice);
  finding.severity = Severity::leak;
  finding.hint = "await it";
  const auto worse = log.update(report_of({finding}));
  REQUIRE(worse.size() == 1);
  CHECK(worse[0].text.ends_with("never end; hint: await it"));
  finding.severity = Severity::warning;
  CHECK(log.update(report_of({finding})).empty());
}

TEST_CASE("a finding of a process that is gone, and one without a coroutine") {
  FindingLog log;
  Finding finding = leak_of(7, "");
  finding.kind = "rss-growth";
  finding.file.clear();
  finding.line.reset();
  const auto lines = log.update(report_of({finding}));
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].text == "leak: rss-growth in PID 7: 412 of 412 never end");
}

TEST_CASE("a thousand at once are one event") {
  FindingLog log;
  std::vector<Finding> many;
  for (int i = 0; i < 1000; i++) many.push_back(leak_of(42, "site_" + std::to_string(i)));
  const auto lines = log.update(report_of(many));
  REQUIRE(lines.size() == 21);
  CHECK(lines.back().text == "and 980 more findings that began or ended");
}

TEST_CASE("the status counts") {
  Report report = report_of({leak_of(42, "a")});
  CHECK(status_text(report) == "1 process, 0 sites, 1 leak, 0 warnings, 0 events lost");
  report.processes.emplace_back();
  report.sites.emplace_back();
  report.findings[0].severity = Severity::warning;
  report.dropped_total = 1;
  CHECK(status_text(report) == "2 processes, 1 site, 0 leaks, 1 warning, 1 event lost");
}

}  // namespace asyncleak::cli
