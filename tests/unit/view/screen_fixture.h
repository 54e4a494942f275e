// A report small enough to read, and how it looks. Used by the tests of screen and keys.
#pragma once

#include "model/report.h"
#include "model/site_key.h"

#include <cstdlib>
#include <ctime>
#include <string>
#include <vector>

namespace asyncleak::test {

inline ProcessRow process(std::uint32_t id, pid_t pid, const std::string& comm) {
  ProcessRow row;
  row.process.id = id;
  row.process.pid = pid;
  row.process.comm = comm;
  row.process.cmdline = "/usr/bin/" + comm + " app:main";
  row.process.python = "3.11.2";
  row.process.rss_bytes = 104857600;
  return row;
}

inline SiteRow site(std::uint64_t id, const ProcessRow& process, const std::string& coroutine,
                    std::uint64_t outstanding, double growth_per_min, Verdict verdict) {
  auto identity = std::make_shared<SiteIdentity>();
  identity->id = id;
  identity->pid = process.process.pid;
  identity->process = process.process.id;
  identity->coroutine = coroutine;
  identity->file = "/srv/shop/cart.py";
  identity->line = 42;
  identity->created_at = {{"create_task", "/usr/lib/python3.11/asyncio/tasks.py", 361},
                          {"handler", "/srv/shop/api.py", 31},
                          {"main", "/srv/shop/app.py", 8}};
  SiteRow row;
  row.identity = identity;
  row.created_total = outstanding + 100;
  row.destroyed_total = 100;
  row.outstanding = outstanding;
  row.created_per_s = 2.5;
  row.destroyed_per_s = 0.5;
  row.growth_per_min = growth_per_min;
  row.oldest_s = 312;
  row.median_age_s = 20;
  row.verdict = verdict;
  row.confidence = 0.93;
  row.history = {0, 1, 2, 3, 4, 5, 6, 7, 8};
  return row;
}

// Two processes, three sites, one leak: shop.cart.refresh.
inline Report report() {
  setenv("TZ", "UTC", 1);
  tzset();
  Report report;
  report.wall_ns = 1'795'269'802'000'000'000;  // 2026-11-21 14:03:22 UTC
  report.monotonic_ns = 1'000'000'000'000;
  report.interval_s = 1;
  report.host = "db1";
  report.host_uptime_s = 273'900;
  report.watched_s = 332;
  report.probes.cost_ns_per_hit = 480;
  report.probes.tasks_used = 120;
  report.probes.tasks_limit = 1000;
  report.hits_per_s = 240;
  report.overhead_percent = 0.0115;
  report.outstanding = 932;
  report.created_per_s = 7.5;
  report.destroyed_per_s = 1.5;
  report.processes = {process(1, 812, "uvicorn"), process(2, 1907, "worker")};
  report.processes[0].growth_per_min = 120;
  report.processes[0].verdict = Verdict::leak;
  report.processes[0].outstanding = 820;
  report.sites = {site(1, report.processes[0], "shop.cart.refresh", 812, 120, Verdict::leak),
                  site(2, report.processes[0], "serve", 8, 0, Verdict::steady),
                  site(3, report.processes[1], "jobs.Queue.run", 112, 0, Verdict::churn)};
  report.sites[0].cohorts = {{690'000'000'000, 700'000'000'000, 200},
                             {970'000'000'000, 980'000'000'000, 600},
                             {999'000'000'000, 1'000'000'000'000, 12}};
  Finding finding;
  finding.kind = "task-leak";
  finding.severity = Severity::leak;
  finding.pid = 812;
  finding.coroutine = "shop.cart.refresh";
  finding.file = "/srv/shop/cart.py";
  finding.created_at = report.sites[0].identity->created_at;
  finding.since_s = 100;
  finding.site = site_key(*report.sites[0].identity);
  finding.confidence = report.sites[0].confidence;
  finding.created_in = finding.created_at[1];
  finding.why =
      "812 of 812 tasks created at api.py:31 by `handler` in the last 60 s still exist; +2/s; oldest 5 min 12 s";
  report.findings = {finding};
  return report;
}

// A site that only the census sees.
inline SiteRow census_site(std::uint64_t id, const ProcessRow& process, const std::string& kind,
                           const std::string& name, std::uint64_t outstanding, Verdict verdict) {
  auto identity = std::make_shared<SiteIdentity>();
  identity->id = id;
  identity->pid = process.process.pid;
  identity->process = process.process.id;
  identity->kind = kind;
  identity->coroutine = name;
  identity->file = kind == "transport" ? "" : "/srv/shop/feed.py";
  if (kind != "transport") identity->line = 9;
  SiteRow row;
  row.identity = identity;
  row.by_census = true;
  row.outstanding = outstanding;
  row.growth_per_min = verdict == Verdict::leak ? 60 : 0;
  row.verdict = verdict;
  row.history = {1, 2, 3};
  return row;
}

// The same with what a census of the first process has seen, 0.8 seconds ago.
inline Report census_report() {
  Report all = report();
  ProcessSample& process = all.processes[0].process;
  process.loop_coverage = Coverage::exact;
  LoopSample loop;
  loop.kind = "asyncio.unix_events._UnixSelectorEventLoop";
  loop.running = true;
  loop.ready = 3;
  loop.timers = 1200;
  loop.timers_cancelled = 2;
  loop.transports = 40;
  loop.asyncgens = 7;
  process.loops = {loop};
  process.asyncgens = 7;
  CensusSample census;
  census.taken_ns = all.monotonic_ns - 800'000'000;
  census.duration_s = 0.0124;
  census.objects = 88'120;
  census.tasks = 1203;
  process.census = census;
  MemorySample memory;
  memory.arenas_bytes = 70U << 20;
  memory.small_objects_bytes = 61U << 20;
  memory.small_objects = 900'000;
  memory.c_heap_bytes = 12U << 20;
  memory.mapped_bytes = 9U << 20;
  memory.stacks_bytes = 1U << 20;
  memory.files_bytes = 8U << 20;
  process.memory = memory;
  all.processes[0].pending = 800;
  all.processes[0].done = 20;

  SiteRow& leak = all.sites[0];
  leak.pending = 800;
  leak.done = 12;
  leak.cancel_requested = 3;
  leak.failed = 1;
  leak.cancelled = 0;
  leak.waiting_at = {{"Queue.get", "/usr/lib/python3.11/asyncio/queues.py", 158}, {"refresh", "/srv/shop/cart.py", 57}};
  leak.waiting_here = 37;
  leak.waiting_of = 40;
  leak.held = HeldSample{100663296, 4194304, 40, false};
  leak.held_bytes = 100663296;
  leak.holders = {"set `background` of module app (812 items)"};

  all.sites.push_back(census_site(4, all.processes[0], "asyncgen", "feed.ticks", 7, Verdict::steady));
  all.sites.back().waiting_at = {{"ticks", "/srv/shop/feed.py", 14}};
  all.sites.back().waiting_here = all.sites.back().waiting_of = 7;
  all.sites.push_back(census_site(5, all.processes[0], "timer", "Cache.expire", 1198, Verdict::leak));
  all.sites.push_back(census_site(6, all.processes[0], "transport", "HttpProtocol", 40, Verdict::steady));
  all.sites.back().buffered_bytes = 1258291;
  return all;
}

}  // namespace asyncleak::test
