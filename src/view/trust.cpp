#include "view/trust.h"

#include "util/text.h"

#include <fmt/format.h>
#include <algorithm>
#include <array>

namespace asyncleak {
namespace {

std::string processes_text(std::size_t count) { return fmt::format("{} process{}", count, count == 1 ? "" : "es"); }

double percent_of(std::uint64_t used, std::uint64_t limit) {
  return limit > 0 ? 100 * static_cast<double>(used) / static_cast<double>(limit) : 0;
}

// The worst that holds for a process which is observed at all.
Span coverage_span(const std::array<std::size_t, 4>& covered) {
  const auto count = [&](Coverage coverage) { return covered.at(static_cast<std::size_t>(coverage)); };
  if (const auto lower_bounds = count(Coverage::at_least); lower_bounds > 0) {
    return {fmt::format("at least, for {}", processes_text(lower_bounds)), Role::warn};
  }
  if (count(Coverage::since_attach) > 0) return {"exact since attach", Role::good};
  if (count(Coverage::exact) > 0) return {"exact", Role::good};
  return {"nothing observed yet", Role::normal};
}

Span dropped_span(const Report& report) {
  if (report.dropped_total == 0) return {", nothing dropped"};
  std::string reasons;
  for (const Drop& drop : report.probes.drops) {
    if (drop.total > 0) reasons += fmt::format("{}{} {}", reasons.empty() ? "" : ", ", drop.name, drop.total);
  }
  return {fmt::format(", {} dropped ({})", format_count(report.dropped_total), reasons), Role::bad};
}

}  // namespace

Line trust_line(const Report& report) {
  std::array<std::size_t, 4> covered{};  // by Coverage
  for (const ProcessRow& process : report.processes) ++covered.at(static_cast<std::size_t>(process.process.tasks));
  Line line = {coverage_span(covered)};
  if (const auto unobserved = covered.at(static_cast<std::size_t>(Coverage::none)); unobserved > 0) {
    line.push_back({fmt::format(", {} not observed", processes_text(unobserved)), Role::warn});
  }
  const ProbeSample& probes = report.probes;
  const double fill =
      std::max(percent_of(probes.tasks_used, probes.tasks_limit), percent_of(probes.sites_used, probes.sites_limit));
  constexpr double nearly_full = 80;
  line.push_back({fmt::format(", maps {} full", format_percent(fill)), fill > nearly_full ? Role::warn : Role::normal});
  line.push_back(dropped_span(report));
  return line;
}

}  // namespace asyncleak
