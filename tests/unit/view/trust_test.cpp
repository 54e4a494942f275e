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
  report.dropped_total = 15;
  report.probes.drops = {{"tasks_full", "", 12}, {"stack_unreadable", "", 0}, {"sites_full", "", 3}};
  CHECK(text_of(report) == "exact, maps 90.0% full, 15 dropped (tasks_full 12, sites_full 3)");
  CHECK(trust_line(report).back().role == Role::bad);
}
