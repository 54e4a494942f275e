#include "view/prometheus/prometheus.h"

#include "report_fixture.h"
#include "view/prometheus/labels.h"

#include <fmt/format.h>
#include <catch2/catch.hpp>

using namespace asyncleak;
using Catch::Matchers::Contains;

namespace {

std::vector<std::string> lines_with(const std::string& text, std::string_view prefix) {
  std::vector<std::string> found;
  std::size_t begin = 0;
  for (std::size_t end = text.find('\n'); end != std::string::npos; begin = end + 1, end = text.find('\n', begin)) {
    if (text.compare(begin, prefix.size(), prefix) == 0) found.push_back(text.substr(begin, end - begin));
  }
  return found;
}

std::string to_prometheus(const Report& report, const PrometheusOptions& options) {
  return Prometheus(options).write(report);
}

}  // namespace

TEST_CASE("the file, whole") {
  Report report = example_report();
  ProcessSample& process = report.processes[0].process;
  process.container = "4f0e5d2c9a1b";
  process.inside = {"containerd", "web-0", "1b2c3d4e-5f60-7182-93a4-b5c6d7e8f901", "shop", 7};
  process.started_wall_ns = 1'795'234'000'120'000'000;
  CHECK(to_prometheus(report, {}) ==
        R"(# HELP asyncleak_tasks Task objects that exist, by state; outstanding where the state is not known.
# TYPE asyncleak_tasks gauge
asyncleak_tasks{pid="42",comm="app \"x\"\n",unit="app.service",container="4f0e5d2c9a1b",coroutine="Conn.waiter",site="app.py:31#326151e1",state="outstanding"} 412
asyncleak_tasks{pid="42",comm="app \"x\"\n",unit="app.service",container="4f0e5d2c9a1b",coroutine="Pool.worker",site="unknown#0608263f",state="outstanding"} 8
# HELP asyncleak_tasks_created_total Tasks created since watching began.
# TYPE asyncleak_tasks_created_total counter
asyncleak_tasks_created_total{pid="42",comm="app \"x\"\n",unit="app.service",container="4f0e5d2c9a1b",coroutine="Conn.waiter",site="app.py:31#326151e1"} 12420
asyncleak_tasks_created_total{pid="42",comm="app \"x\"\n",unit="app.service",container="4f0e5d2c9a1b",coroutine="Pool.worker",site="unknown#0608263f"} 8
# HELP asyncleak_tasks_destroyed_total Tasks destroyed since watching began.
# TYPE asyncleak_tasks_destroyed_total counter
asyncleak_tasks_destroyed_total{pid="42",comm="app \"x\"\n",unit="app.service",container="4f0e5d2c9a1b",coroutine="Conn.waiter",site="app.py:31#326151e1"} 12008
asyncleak_tasks_destroyed_total{pid="42",comm="app \"x\"\n",unit="app.service",container="4f0e5d2c9a1b",coroutine="Pool.worker",site="unknown#0608263f"} 0
# HELP asyncleak_oldest_task_seconds Age of the oldest outstanding task.
# TYPE asyncleak_oldest_task_seconds gauge
asyncleak_oldest_task_seconds{pid="42",comm="app \"x\"\n",unit="app.service",container="4f0e5d2c9a1b",coroutine="Conn.waiter",site="app.py:31#326151e1"} 298.000
asyncleak_oldest_task_seconds{pid="42",comm="app \"x\"\n",unit="app.service",container="4f0e5d2c9a1b",coroutine="Pool.worker",site="unknown#0608263f"} 4000.000
# HELP asyncleak_findings Findings that stand now: 1 each; coroutine="other" is a count.
# TYPE asyncleak_findings gauge
asyncleak_findings{kind="task-leak",severity="leak",pid="42",comm="app \"x\"\n",unit="app.service",container="4f0e5d2c9a1b",coroutine="Conn.waiter",site="app.py:31#326151e1"} 1
# HELP asyncleak_finding_start_time_seconds Since when a finding stands, Unix time; coroutine="other" is the oldest.
# TYPE asyncleak_finding_start_time_seconds gauge
asyncleak_finding_start_time_seconds{kind="task-leak",severity="leak",pid="42",comm="app \"x\"\n",unit="app.service",container="4f0e5d2c9a1b",coroutine="Conn.waiter",site="app.py:31#326151e1"} 1795234347.623
# HELP asyncleak_process_info Where a process runs, to be joined with other metrics; always 1.
# TYPE asyncleak_process_info gauge
asyncleak_process_info{pid="42",comm="app \"x\"\n",unit="app.service",container="4f0e5d2c9a1b",runtime="containerd",pod="web-0",pod_uid="1b2c3d4e-5f60-7182-93a4-b5c6d7e8f901",namespace="shop",container_pid="7",python="3.11.2"} 1
asyncleak_process_info{pid="43",comm="b�",unit="",container="",runtime="",pod="",pod_uid="",namespace="",container_pid="",python=""} 1
# HELP asyncleak_process_start_time_seconds When the process was started, Unix time.
# TYPE asyncleak_process_start_time_seconds gauge
asyncleak_process_start_time_seconds{pid="42",comm="app \"x\"\n",unit="app.service",container="4f0e5d2c9a1b"} 1795234000.120
# HELP asyncleak_process_resident_bytes Resident memory of the process.
# TYPE asyncleak_process_resident_bytes gauge
asyncleak_process_resident_bytes{pid="42",comm="app \"x\"\n",unit="app.service",container="4f0e5d2c9a1b"} 104857600
# HELP asyncleak_processes Python processes, by how completely their tasks are counted.
# TYPE asyncleak_processes gauge
asyncleak_processes{coverage="exact"} 1
asyncleak_processes{coverage="since-attach"} 0
asyncleak_processes{coverage="at-least"} 0
asyncleak_processes{coverage="none"} 1
# HELP asyncleak_probe_hits_total Times a probe ran.
# TYPE asyncleak_probe_hits_total counter
asyncleak_probe_hits_total 9007199254740993
# HELP asyncleak_overhead_ratio What the probes cost the programs, of one core.
# TYPE asyncleak_overhead_ratio gauge
asyncleak_overhead_ratio 0.000002
# HELP asyncleak_dropped_total Events the kernel side could not record, by reason.
# TYPE asyncleak_dropped_total counter
asyncleak_dropped_total{reason="tasks_full"} 0
asyncleak_dropped_total{reason="stack_unreadable"} 2
# HELP asyncleak_last_refresh_timestamp_seconds When this file was made, Unix time.
# TYPE asyncleak_last_refresh_timestamp_seconds gauge
asyncleak_last_refresh_timestamp_seconds 1795234618.123
# HELP asyncleak_build_info The version of asyncleak-top that wrote this; always 1.
# TYPE asyncleak_build_info gauge
asyncleak_build_info{version=")" ASYNCLEAK_VERSION "\"} 1\n");
}

TEST_CASE("states replace the total once they are known") {
  Report report = example_report();
  report.sites.resize(1);
  report.sites[0].pending = 400;
  report.sites[0].done = 12;
  const auto lines = lines_with(to_prometheus(report, {}), "asyncleak_tasks{");
  REQUIRE(lines.size() == 2);
  CHECK(lines[0].ends_with(",state=\"pending\"} 400"));
  CHECK(lines[1].ends_with(",state=\"done\"} 12"));
}

TEST_CASE("states are older than the number, and still add up to it") {
  struct Case {
    std::uint64_t outstanding;
    std::vector<std::string> states;
  };
  const auto c = GENERATE(values<Case>({
      {415, {"pending\"} 400", "done\"} 12", "outstanding\"} 3"}},  // three have come since
      {405, {"pending\"} 400", "done\"} 5"}},                       // seven have gone since
      {390, {"pending\"} 390", "done\"} 0"}},
      {0, {"pending\"} 0", "done\"} 0"}},
  }));
  Report report = example_report();
  report.sites.resize(1);
  report.sites[0].outstanding = c.outstanding;
  report.sites[0].pending = 400;
  report.sites[0].done = 12;
  const auto lines = lines_with(to_prometheus(report, {}), "asyncleak_tasks{");
  REQUIRE(lines.size() == c.states.size());
  for (std::size_t i = 0; i < lines.size(); ++i) CHECK(lines[i].ends_with("state=\"" + c.states[i]));
}

TEST_CASE("gauges of the loops, summed in each process, and only those observed") {
  Report report = example_report();
  LoopSample loop;
  loop.ready = 3;
  loop.timers = 12;
  report.processes[0].process.loops = {loop, loop, LoopSample{}};
  const std::string text = to_prometheus(report, {});
  CHECK(lines_with(text, "asyncleak_loop_") ==
        std::vector<std::string>{
            R"(asyncleak_loop_ready{pid="42",comm="app \"x\"\n",unit="app.service",container=""} 6)",
            R"(asyncleak_loop_timers{pid="42",comm="app \"x\"\n",unit="app.service",container=""} 24)"});
}

TEST_CASE("what no probe sees has no counters, and what is no task no series") {
  Report report = example_report();
  report.sites[1].by_census = true;
  report.sites[1].created_total.reset();
  report.sites[1].destroyed_total.reset();
  auto identity = std::make_shared<SiteIdentity>(*report.sites[0].identity);
  identity->kind = "timer";
  report.sites[0].identity = identity;
  const std::string text = to_prometheus(report, {});
  CHECK(lines_with(text, "asyncleak_tasks{").size() == 1);
  CHECK(lines_with(text, "asyncleak_tasks_created_total{").empty());
}

TEST_CASE("the top sites of each process are named, the rest is one series") {
  Report report;
  for (std::uint64_t i = 1; i <= 25; ++i) {
    report.sites.push_back(site_row(i, 42, fmt::format("job{}", i), i));
    report.sites.back().oldest_s = static_cast<double>(i);
  }
  PrometheusOptions options;
  options.sites_per_process = 20;
  const std::string text = to_prometheus(report, options);
  CHECK(lines_with(text, "asyncleak_tasks{").size() == 21);
  CHECK(
      lines_with(text, "asyncleak_tasks{").front() ==
      R"(asyncleak_tasks{pid="42",comm="",unit="",container="",coroutine="other",site="other",state="outstanding"} 15)");
  CHECK(lines_with(text, "asyncleak_oldest_task_seconds{").front() ==
        R"(asyncleak_oldest_task_seconds{pid="42",comm="",unit="",container="",coroutine="other",site="other"} 5.000)");
}

TEST_CASE("a process that is not observed has no task series") {
  Report report = example_report();
  report.sites.push_back(site_row(3, 43, "unseen", 5));
  CHECK(lines_with(to_prometheus(report, {}), "asyncleak_tasks{").size() == 2);
  report.processes[1].process.tasks = Coverage::since_attach;
  CHECK(lines_with(to_prometheus(report, {}), "asyncleak_tasks{").size() == 3);
}

TEST_CASE("sites with the same labels are one series: a duplicate would void the whole file") {
  Report report;
  report.sites = {site_row(1, 42, "job", 3), site_row(2, 42, "job", 4)};
  const auto lines = lines_with(to_prometheus(report, {}), "asyncleak_tasks{");
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].ends_with(" 7"));
}

TEST_CASE("a site's label is the same in every process and tells stacks apart") {
  SiteRow here = leaking_site();
  auto elsewhere = std::make_shared<SiteIdentity>(*here.identity);
  elsewhere->id = 99;
  elsewhere->pid = 4711;
  CHECK(site_labels(*elsewhere) == site_labels(*here.identity));
  CHECK_THAT(site_labels(*here.identity), Contains(R"(,site="app.py:31#)"));
  elsewhere->created_at.push_back({"main", "/srv/app.py", 90});
  CHECK(site_labels(*elsewhere) != site_labels(*here.identity));
  elsewhere->created_at.clear();
  CHECK_THAT(site_labels(*elsewhere), Contains(R"(,site="unknown#)"));
}
