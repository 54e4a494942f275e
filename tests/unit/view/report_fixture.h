// A small report with one of everything, for the tests of the views: a leak, a pool, strange
// names, a process that could not be observed.
#pragma once

#include "model/report.h"
#include "model/site_key.h"

#include <memory>
#include <utility>

namespace asyncleak {

inline SiteRow site_row(std::uint64_t id, pid_t pid, std::string coroutine, std::uint64_t outstanding) {
  auto identity = std::make_shared<SiteIdentity>();
  identity->id = id;
  identity->pid = pid;
  identity->process = static_cast<std::uint32_t>(pid);
  identity->coroutine = std::move(coroutine);
  identity->file = "/srv/app.py";
  identity->line = 12;
  SiteRow row;
  row.identity = identity;
  row.outstanding = outstanding;
  row.created_total = outstanding;
  row.destroyed_total = 0;
  return row;
}

inline void set_stack(SiteRow& row, std::vector<Frame> frames) {
  auto identity = std::make_shared<SiteIdentity>(*row.identity);
  identity->created_at = std::move(frames);
  row.identity = identity;
}

inline SiteRow leaking_site() {
  SiteRow row = site_row(1, 42, "Conn.waiter", 412);
  set_stack(row, {{"create_task", "/usr/lib/python3.11/asyncio/tasks.py", 371}, {"handler", "/srv/app.py", 31}});
  row.created_total = 12'420;
  row.destroyed_total = 12'008;
  row.created_per_s = 2;
  row.destroyed_per_s = 0.5;
  row.growth_per_min = 84;
  row.oldest_s = 298;
  row.median_age_s = 149;
  row.verdict = Verdict::leak;
  row.confidence = 0.978;
  return row;
}

inline SiteRow pool_site() {
  SiteRow row = site_row(2, 42, "Pool.worker", 8);
  row.created_per_s = 0;
  row.destroyed_per_s = 0;
  row.growth_per_min = 0;
  row.oldest_s = 4000;
  row.oldest_at_least = true;
  row.median_age_s = 4000;
  row.verdict = Verdict::steady;
  return row;
}

inline Finding leak_finding() {
  Finding finding;
  finding.kind = "task-leak";
  finding.severity = Severity::leak;
  finding.pid = 42;
  finding.coroutine = "Conn.waiter";
  finding.file = "/srv/app.py";
  finding.line = 12;
  finding.created_at = leaking_site().identity->created_at;
  finding.outstanding = 412;
  finding.growth_per_min = 84;
  finding.since_s = 270.5;
  finding.site = site_key(*leaking_site().identity);
  finding.confidence = 0.978;
  finding.created_in = finding.created_at.back();
  finding.waiting_at = {{"Event.wait", "/usr/lib/python3.11/asyncio/locks.py", 213},
                        {"Conn.waiter", "/srv/app.py", 44}};
  finding.waiting_in = finding.waiting_at.back();
  finding.why =
      "412 of 420 tasks created at app.py:31 by `handler` in the last 60 s are still pending; +1.4/s; oldest 4 min 58 "
      "s; "
      "all wait in `Event.wait` at app.py:44";
  finding.pattern = "listener";
  finding.hint = "set the event when the connection closes";
  return finding;
}

inline Report example_report() {
  Report report;
  report.wall_ns = 1'795'234'618'123'456'789;
  report.labels = {"deploy"};
  report.interval_s = 1.0004;
  report.host = "web1";
  report.host_uptime_s = 3 * 86400 + 4 * 3600;
  report.watched_s = 332;
  report.probes.hits_total = 9'007'199'254'740'993;  // 2^53 + 1: not a double
  report.probes.cost_ns_per_hit = 650;
  report.probes.drops = {{"tasks_full", "the task map was full", 0}, {"stack_unreadable", "a stack was cut short", 2}};
  report.probes.tasks_used = 1000;
  report.probes.tasks_limit = 1'000'000;
  report.hits_per_s = 2.5;
  report.overhead_percent = 0.0001625;
  report.dropped_total = 2;
  report.outstanding = 420;
  report.created_per_s = 2;
  report.destroyed_per_s = 0.5;

  ProcessRow app;
  app.process.id = 42;
  app.process.pid = 42;
  app.process.comm = "app \"x\"\n";
  app.process.cmdline = "python3 app.py";
  app.process.exe = "/usr/bin/python3.11";
  app.process.python = "3.11.2";
  app.process.unit = "app.service";
  app.process.rss_bytes = 104'857'600;
  app.process.tasks = Coverage::exact;
  app.outstanding = 420;
  app.verdict = Verdict::leak;
  ProcessRow unknown;
  unknown.process.id = 43;
  unknown.process.pid = 43;
  unknown.process.comm = "b\xFF";
  unknown.process.tasks = Coverage::none;
  unknown.process.warnings = {"asyncio is not loaded"};
  report.processes = {app, unknown};
  report.sites = {leaking_site(), pool_site()};
  report.findings = {leak_finding()};
  return report;
}

}  // namespace asyncleak
