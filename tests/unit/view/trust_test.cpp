#include "view/trust.h"

#include <catch2/catch.hpp>

using namespace asyncleak;

namespace {

std::string text_of(const Report& report) {
  std::string text;
  for (const Span& span : trust_line(report)) text += span.text;
  return text;
}

Report report_of(const std::vector<Coverage>& processes) {
  Report report;
  for (const Coverage coverage : processes) report.processes.emplace_back().process.tasks = coverage;
  return report;
}

using enum Coverage;

}  // namespace

TEST_CASE("the worst coverage of an observed process stands first") {
  const auto coverage = [](const std::vector<Coverage>& processes) {
    const std::string text = text_of(report_of(processes));
    return text.substr(0, text.find(", maps"));
  };
  CHECK(coverage({}) == "nothing observed yet");
  CHECK(coverage({none}) == "nothing observed yet, 1 process not observed");
  CHECK(coverage({exact, exact}) == "exact");
  CHECK(coverage({exact, since_attach}) == "exact since attach");
  CHECK(coverage({exact, since_attach, none, none}) == "exact since attach, 2 processes not observed");
  CHECK(coverage({since_attach, at_least, exact}) == "at least, for 1 process");
}

TEST_CASE("the fuller of the two maps, and losses by reason") {
  Report report = report_of({exact});
  report.probes.tasks_used = 10;
  report.probes.tasks_limit = 100;
  report.probes.sites_used = 90;
  report.probes.sites_limit = 100;
  CHECK(text_of(report) == "exact, maps 90.0% full, nothing dropped");
  CHECK(trust_line(report)[1].role == Role::warn);
  report.probes.blocks_used = 12;
  report.probes.blocks_limit = 1000;
  CHECK(text_of(report) == "exact, maps 90.0% full, blocks 1.2% full, nothing dropped");
  CHECK(trust_line(report)[2].role == Role::normal);
  report.probes.blocks_used = 990;
  CHECK(trust_line(report)[2].role == Role::warn);
  report.probes.blocks_limit = 0;
  report.dropped_total = 15;
  report.probes.drops = {{"tasks_full", "", 12}, {"stack_unreadable", "", 0}, {"sites_full", "", 3}};
  CHECK(text_of(report) == "exact, maps 90.0% full, 15 dropped (tasks_full 12, sites_full 3)");
  CHECK(trust_line(report).back().role == Role::bad);
}

TEST_CASE("the census of all processes in a word") {
  Report report = report_of({exact, since_attach});
  report.processes[0].process.census.emplace();
  CHECK(text_of(report) == "exact since attach, maps 0% full, census agrees, nothing dropped");
  report.processes[1].process.census.emplace().complete = false;
  CHECK(text_of(report) == "exact since attach, maps 0% full, census incomplete for 1 process, nothing dropped");
  report.processes[0].process.census->not_found = 2;
  report.processes[1].process.census->unknown_to_kernel = 1;
  CHECK(text_of(report) == "exact since attach, maps 0% full, census differs by 3, nothing dropped");
  CHECK(trust_line(report)[2].role == Role::warn);
}

TEST_CASE("the census of one process against the kernel's counts") {
  ProcessSample process;
  const auto text = [&process] {
    std::string all;
    for (const Span& span : census_line(process, 10'000'000'000)) all += span.text;
    return all;
  };
  CHECK(text() == "none: see the warnings, or wait for the first");
  CensusSample& census = process.census.emplace();
  census.taken_ns = 9'200'000'000;
  census.duration_s = 0.0123;
  census.tasks = 1203;
  CHECK(text() == "0.8s ago, 12ms, 1,203 tasks = kernel's; 0 unknown, 0 not found");
  census.python_tasks = 4;
  CHECK(text() == "0.8s ago, 12ms, 1,203 tasks = kernel's; 0 unknown, 0 not found; 4 of the pure-Python class");
  census.python_tasks = 0;
  census.unknown_to_kernel = 3;
  census.not_found = 2;
  census.complete = false;
  census.reasons = {"the process ended", "memory changed"};
  CHECK(text() ==
        "0.8s ago, 12ms, 1,203 tasks; 3 unknown to the kernel, 2 not found in memory; incomplete: the process ended, "
        "memory changed");
  CHECK(census_line(process, 0)[1].role == Role::warn);
}
