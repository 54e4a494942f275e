#include "scenario.h"

#include "model/site_kind.h"

#include <catch2/catch.hpp>
#include <tuple>

using namespace asyncleak;

namespace {

const auto idle = [](Scenario&) {};

// A site that only the census sees, as number 2 of the sample.
SiteSample& add_site(Scenario& scenario, const std::string& kind, const std::string& name) {
  auto identity = std::make_shared<SiteIdentity>();
  identity->id = 2;
  identity->pid = 42;
  identity->process = 7;
  identity->kind = kind;
  identity->coroutine = name;
  identity->file = "/srv/feed.py";
  identity->line = 9;
  SiteSample& site = scenario.sample().sites.emplace_back();
  site.identity = identity;
  site.by_census = true;
  site.census.emplace();
  return site;
}

// A census right now, before the next sample is taken.
void look(Scenario& scenario, double seconds_later) {
  auto& census = scenario.sample().processes[0].census;
  if (!census) census.emplace();
  census->taken_ns = Scenario::start_ns + static_cast<std::int64_t>((scenario.now() + seconds_later) * 1e9);
}

const Finding* find(const Report& report, std::string_view kind) {
  const auto found = std::find_if(report.findings.begin(), report.findings.end(),
                                  [kind](const Finding& finding) { return finding.kind == kind; });
  return found == report.findings.end() ? nullptr : &*found;
}

}  // namespace

TEST_CASE("the kinds of the contract and their words") {
  SiteIdentity identity;
  CHECK(kind_of(identity) == SiteKind::task);
  identity.kind = "asyncgen";
  CHECK(kind_of(identity) == SiteKind::asyncgen);
  CHECK(short_name(SiteKind::asyncgen) == "agen");
  CHECK(short_name(SiteKind::alloc) == "alloc");
  CHECK(count_in_words(SiteKind::coroutine, 12) == "12 coroutines were never started");
  CHECK(count_in_words(SiteKind::transport, 1) == "1 transport exists");
}

TEST_CASE("what no probe sees has no births, deaths and ages, and does not count as tasks") {
  Scenario scenario;
  scenario.spawn(Scenario::forever, 3);
  add_site(scenario, "timer", "Cache.expire").outstanding = 40;
  look(scenario, 0);
  (void)scenario.take();
  const Report report = scenario.advance(1, idle);
  REQUIRE(report.sites.size() == 2);
  const SiteRow& timers = report.sites[1];
  CHECK(timers.by_census);
  CHECK(timers.outstanding == 40);
  CHECK_FALSE(timers.created_total);
  CHECK_FALSE(timers.destroyed_total);
  CHECK_FALSE(timers.created_per_s);
  CHECK_FALSE(timers.oldest_s);
  CHECK_FALSE(timers.pending);
  CHECK_FALSE(timers.cancel_requested);
  CHECK(report.outstanding == 3);
  CHECK(report.processes[0].outstanding == 3);
}

TEST_CASE("pending and done of a process are the sums of its task sites, zero included") {
  Scenario scenario;
  Report report = scenario.take();
  CHECK_FALSE(report.processes[0].pending);
  look(scenario, 1);
  report = scenario.advance(1, idle);
  CHECK(report.processes[0].pending == 0U);
  SiteCensus& census = scenario.sample().sites[0].census.emplace();
  census.pending = 5;
  census.done = 2;
  census.cancel_requested = 1;
  census.failed = 1;
  census.held = HeldSample{4096.4, 12, 5, false};
  report = scenario.advance(1, idle);
  CHECK(report.processes[0].pending == 5U);
  CHECK(report.processes[0].done == 2U);
  CHECK(report.sites[0].cancel_requested == 1U);
  CHECK(report.sites[0].failed == 1U);
  CHECK(report.sites[0].held_bytes == 4096U);
}

TEST_CASE("overload is about pending tasks where they are known") {
  Scenario scenario;
  scenario.spawn(Scenario::forever, 300);
  SiteCensus& census = scenario.sample().sites[0].census.emplace();
  census.pending = 20;
  census.done = 280;
  look(scenario, 0);
  CHECK(find(scenario.take(), "overload") == nullptr);
  census.pending = 120;
  census.done = 180;
  const Report report = scenario.advance(1, idle);
  REQUIRE(find(report, "overload") != nullptr);
  CHECK(find(report, "overload")->why ==
        "120 tasks are pending in app, more than 100; the most: 120 `Conn.waiter` created at app.py:31 by `handler`");
}

TEST_CASE("each kind that accumulates is a leak of its own kind, with who holds it") {
  struct Case {
    const char* kind;
    const char* finding;
    const char* why;
  };
  for (const auto& [kind, finding, why] :
       {Case{"coroutine", "coroutine-leak", "120 coroutines defined at feed.py:9 were never started"},
        Case{"asyncgen", "asyncgen-leak", "120 async generators defined at feed.py:9 were started and not finished"},
        Case{"timer", "timer-leak", "120 scheduled callbacks defined at feed.py:9 wait"},
        Case{"transport", "transport-leak", "120 transports defined at feed.py:9 exist"}}) {
    INFO(kind);
    Scenario scenario;
    SiteSample& site = add_site(scenario, kind, "feed");
    site.census->holders = {"list `feeds` of module app"};
    Report report;
    for (int i = 0; i < 60; ++i) {
      site.outstanding += 2;
      look(scenario, 1);
      report = scenario.advance(1, idle);
    }
    REQUIRE(report.findings.size() == 1);
    CHECK(report.sites[1].verdict == Verdict::leak);
    CHECK(report.processes[0].verdict == Verdict::leak);
    CHECK(report.findings[0].kind == finding);
    CHECK(report.findings[0].severity == Severity::leak);
    CHECK(report.findings[0].why == std::string(why) + "; +2/s over 59 s; held by list `feeds` of module app");
  }
}

TEST_CASE("a census every ten seconds: only what was seen counts, and it is enough") {
  Scenario scenario;
  SiteSample& site = add_site(scenario, "timer", "Cache.expire");
  std::vector<Verdict> verdicts;
  for (int i = 0; i < 120; ++i) {
    if (i % 10 == 0) {
      site.outstanding += 20;
      look(scenario, 0.5);
    }
    verdicts.push_back(scenario.advance(1, idle).sites[1].verdict);
  }
  CHECK(first(verdicts, Verdict::leak) > 40);  // the fifth
  CHECK(first(verdicts, Verdict::leak) < 60);
  CHECK(verdicts.back() == Verdict::leak);
}

TEST_CASE("a number of timers that stays, or comes and goes, is no leak") {
  Scenario scenario;
  SiteSample& site = add_site(scenario, "timer", "Cache.expire");
  std::vector<Verdict> verdicts;
  for (int i = 0; i < 300; ++i) {
    site.outstanding = i < 150 ? 500 : 400 + static_cast<std::uint64_t>(i % 20) * 10;
    look(scenario, 1);
    verdicts.push_back(scenario.advance(1, idle).sites[1].verdict);
  }
  CHECK(never(verdicts, Verdict::leak));
  CHECK(verdicts[149] == Verdict::steady);
}

TEST_CASE("tasks that have finished and are still held") {
  Scenario scenario;
  SiteCensus& census = scenario.sample().sites[0].census.emplace();
  census.pending = 3;
  census.done = 0;
  census.holders = {"list `results` of module app (60 items)"};
  Report report;
  for (int i = 0; i < 60; ++i) {
    census.done = *census.done + 2;
    look(scenario, 1);
    report = scenario.advance(1, [step = 0](Scenario& s) mutable {
      if (step++ % 10 == 0) s.spawn(Scenario::forever);
    });
  }
  const Finding* held = find(report, "done-held");
  REQUIRE(held != nullptr);
  CHECK(held->severity == Severity::leak);
  CHECK(
      held->why ==
      "120 of 123 tasks created at app.py:31 by `handler` have finished and are still held by list `results` of module "
      "app (60 items); +2/s; oldest 59 s");
  CHECK(find(report, "task-leak") == nullptr);
}

TEST_CASE("finished tasks that hold each other one by one may wait for the collector: a warning") {
  Scenario scenario;
  SiteCensus& census = scenario.sample().sites[0].census.emplace();
  census.pending = 3;
  census.done = 0;
  census.holders = {"attribute `handler_task` of app.Connection"};
  for (int i = 0; i < 60; ++i) {
    census.done = *census.done + 2;
    look(scenario, 1);
    const Report report = scenario.advance(1, [step = 0](Scenario& s) mutable {
      if (step++ % 10 == 0) s.spawn(Scenario::forever);
    });
    CHECK(report.sites[0].verdict <= Verdict::growing);
    const Finding* held = find(report, "done-held");
    if (held != nullptr) CHECK(held->severity == Severity::warning);
  }
}

TEST_CASE("cancelled timers are no leak, and those of sleeping tasks not one of their own") {
  for (const auto& [name, file, worst] : {std::tuple{"cancelled", "", Verdict::steady},
                                          std::tuple{"_set_result_unless_cancelled", "futures.py", Verdict::growing},
                                          std::tuple{"refresh", "app.py", Verdict::leak}}) {
    INFO(name);
    Scenario scenario;
    SiteSample& site = add_site(scenario, "timer", name);
    auto identity = std::make_shared<SiteIdentity>(*site.identity);
    identity->file = file;
    site.identity = identity;
    Verdict seen = Verdict::fresh;
    for (int i = 0; i < 60; ++i) {
      site.outstanding += 2;
      look(scenario, 1);
      seen = std::max(seen, scenario.advance(1, idle).sites[1].verdict);
    }
    CHECK(seen == worst);
  }
}

TEST_CASE("what transports have to write and only accumulates is growth of memory") {
  Scenario scenario;
  SiteSample& site = add_site(scenario, "transport", "StreamReaderProtocol");
  site.outstanding = 1;
  Report report;
  const auto seconds = [&](int count, std::uint64_t step) {
    for (int i = 0; i < count; ++i) {
      site.census->buffered_bytes = (i % 2 == 0 ? step : 0) + site.census->buffered_bytes.value_or(0);
      look(scenario, 1);
      report = scenario.advance(1, idle);
    }
  };
  seconds(30, 0);
  CHECK(find(report, "memory-growth") == nullptr);
  seconds(90, 330 << 10);
  const Finding* growth = find(report, "memory-growth");
  REQUIRE(growth != nullptr);
  CHECK(growth->severity == Severity::leak);
  CHECK(growth->bytes == 45U * (330 << 10));
  CHECK(growth->why.starts_with(
      "14.5MiB written to 1 transport `StreamReaderProtocol` defined at feed.py:9 are not sent"));
}

TEST_CASE("as many of those from before ended as came: no leak, though they are not destroyed yet") {
  Scenario scenario;
  SiteSample elders = scenario.sample().sites[0];
  auto identity = std::make_shared<SiteIdentity>(*elders.identity);
  identity->id = 2;
  identity->created_at.clear();
  identity->preexisting = true;
  elders.identity = identity;
  elders.outstanding = elders.preexisting = 100;
  elders.cohorts = {{Scenario::start_ns, Scenario::start_ns + 1'000'000, 100}};
  elders.census.emplace().pending = 100;
  elders.census->done = 0;
  scenario.sample().sites.push_back(elders);
  std::uint64_t alive = 0;
  for (int i = 0; i < 80; ++i) {
    look(scenario, 1);
    auto& sites = scenario.sample().sites;
    if (i % 2 == 0) {
      ++alive;
      sites[1].census->pending = *sites[1].census->pending - 1;
      sites[1].census->done = *sites[1].census->done + 1;
    }
    if (!sites[0].census) sites[0].census.emplace();
    sites[0].census->pending = alive;
    sites[0].census->done = 0;
    const Report report = scenario.advance(1, [i, step = 0](Scenario& s) mutable {
      if (step++ == 0 && i % 2 == 0) s.spawn(Scenario::forever);
    });
    CHECK(report.sites[0].verdict < Verdict::leak);
  }
}

TEST_CASE("tasks that go on although they were cancelled") {
  Scenario scenario;
  SiteCensus& census = scenario.sample().sites[0].census.emplace();
  census.pending = 0;
  census.done = 0;
  Report report;
  for (int i = 0; i < 60; ++i) {
    census.pending = *census.pending + 2;
    census.cancel_requested = *census.pending - 1;
    look(scenario, 1);
    report = scenario.advance(1, [step = 0](Scenario& s) mutable {
      if (step++ % 10 == 0) s.spawn(Scenario::forever);
    });
  }
  const Finding* ignored = find(report, "cancel-ignored");
  REQUIRE(ignored != nullptr);
  CHECK(ignored->why ==
        "119 of 120 pending tasks created at app.py:31 by `handler` go on although they were cancelled; +2/s; oldest "
        "59 s");
}
