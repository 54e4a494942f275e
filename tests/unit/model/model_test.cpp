#include "model/model.h"

#include "scenario.h"

#include <catch2/catch.hpp>

using namespace asyncleak;

TEST_CASE("rates need two samples and use the real interval") {
  Scenario scenario;
  scenario.spawn(Scenario::forever, 10);
  scenario.sample().probes.hits_total = 100;
  scenario.sample().probes.cost_ns_per_hit = 500;
  Report report = scenario.take();
  CHECK(report.interval_s == 0);
  CHECK_FALSE(report.sites[0].created_per_s);
  CHECK_FALSE(report.processes[0].created_per_s);
  CHECK_FALSE(report.created_per_s);
  CHECK_FALSE(report.hits_per_s);

  scenario.sample().probes.hits_total = 2100;
  int spawned = 0;
  report = scenario.advance(2, [&spawned](Scenario& s) {
    if (spawned++ < 5) s.spawn(0.1);
  });
  CHECK(report.interval_s == Approx(2));
  CHECK(*report.sites[0].created_per_s == Approx(2.5));
  CHECK(*report.sites[0].destroyed_per_s == Approx(2.5));
  CHECK(*report.processes[0].created_per_s == Approx(2.5));
  CHECK(*report.created_per_s == Approx(2.5));
  CHECK(*report.hits_per_s == Approx(1000));
  CHECK(*report.overhead_percent == Approx(0.05));
  CHECK(report.outstanding == 10);
}

TEST_CASE("a site born since the last sample had zero then; one that merely was not shown has no rate") {
  Scenario scenario;
  (void)scenario.take();
  SiteSample born = scenario.sample().sites[0];
  auto identity = std::make_shared<SiteIdentity>(*born.identity);
  identity->id = 2;
  born.identity = identity;
  born.created_total = 6;
  born.first_seen_ns = Scenario::start_ns + 500'000'000;
  SiteSample hidden = born;
  auto other = std::make_shared<SiteIdentity>(*identity);
  other->id = 3;
  hidden.identity = other;
  hidden.first_seen_ns = Scenario::start_ns - 1;
  scenario.sample().sites.push_back(hidden);
  scenario.sample().sites.push_back(born);
  const Report report = scenario.advance(2, [](Scenario&) {});
  REQUIRE(report.sites.size() == 3);
  CHECK(report.sites[1].identity->id == 2);
  CHECK(*report.sites[1].created_per_s == Approx(3));
  CHECK_FALSE(report.sites[2].created_per_s);
}

TEST_CASE("what is no longer in the sample is forgotten with its findings") {
  Scenario scenario;
  scenario.spawn(Scenario::forever, 200);
  Report report = scenario.take();
  REQUIRE(report.findings.size() == 1);
  CHECK(report.findings[0].kind == "overload");
  scenario.sample().processes.clear();
  const auto sites = std::exchange(scenario.sample().sites, {});
  Model model(Policy{});
  Sample sample = scenario.sample();
  sample.sites = sites;
  sample.monotonic_ns = Scenario::start_ns;
  CHECK(model.update(sample).sites.size() == 1);
  sample.sites.clear();
  sample.monotonic_ns += 1'000'000'000;
  report = model.update(sample);
  CHECK(report.sites.empty());
  CHECK(report.findings.empty());
}

TEST_CASE("a leak's sentence carries its evidence") {
  Scenario scenario;
  int step = 0;
  const auto leak = [&step](Scenario& s) {
    if (step++ % 10 == 0) s.spawn(Scenario::forever);
  };
  Report report;
  for (int i = 0; i < 60; ++i) report = scenario.advance(1, leak);
  REQUIRE(report.findings.size() == 2);
  const Finding& finding = report.findings[0];
  CHECK(finding.kind == "task-leak");
  CHECK(finding.severity == Severity::leak);
  CHECK(finding.coroutine == "Conn.waiter");
  CHECK(*finding.outstanding == 120);
  CHECK(finding.since_s > 45);
  CHECK(finding.why ==
        "118 of 118 tasks created at app.py:31 by `handler` in the last 59 s still exist; +2/s; oldest 59 s");
  CHECK(report.findings[1].kind == "overload");
  CHECK(report.findings[1].severity == Severity::warning);
  CHECK(report.findings[1].why ==
        "120 tasks exist in app, more than 100; the most: 120 `Conn.waiter` created at app.py:31 by `handler`");
}

TEST_CASE("resident memory is compared with the first reading after ten seconds") {
  Scenario scenario;
  const auto idle = [](Scenario&) {};
  auto& rss = scenario.sample().processes[0].rss_bytes;
  rss = 10 << 20;  // still importing
  CHECK_FALSE(scenario.take().processes[0].rss_baseline_bytes);
  rss = 100 << 20;
  CHECK(scenario.advance(10, idle).processes[0].rss_baseline_bytes == 100U << 20);
  rss = 150 << 20;
  CHECK(scenario.advance(1, idle).findings.empty());
  rss = 160 << 20;
  const Report report = scenario.advance(1, idle);
  REQUIRE(report.findings.size() == 1);
  CHECK(report.findings[0].kind == "rss-growth");
  CHECK(*report.findings[0].bytes == 160U << 20);
  CHECK(report.findings[0].why ==
        "resident memory of app rose from 100MiB to 160MiB, 60% over its baseline (limit 50%)");
}

TEST_CASE("a process keeps its past when its first event gives it an id") {
  Scenario scenario;
  Sample sample = scenario.sample();
  sample.sites.clear();
  sample.processes[0].id = 0;
  sample.processes[0].rss_bytes = 1000;
  Model model(Policy{});
  sample.monotonic_ns = 1;
  (void)model.update(sample);
  sample.monotonic_ns += 11'000'000'000;
  CHECK(model.update(sample).processes[0].rss_baseline_bytes == 1000U);
  sample.processes[0].id = 9;
  sample.processes[0].rss_bytes = 1100;
  sample.monotonic_ns += 1'000'000'000;
  CHECK(model.update(sample).processes[0].rss_baseline_bytes == 1000U);
}

TEST_CASE("a full map makes the counts lower bounds") {
  Scenario scenario;
  scenario.sample().sites[0].untracked = 3;
  scenario.sample().processes[0].tasks = Coverage::exact;
  const Report report = scenario.take();
  CHECK(report.sites[0].at_least);
  CHECK(report.processes[0].process.tasks == Coverage::at_least);
}
