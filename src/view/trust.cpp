#include "view/trust.h"

#include "util/text.h"

#include <fmt/format.h>
#include <algorithm>
#include <array>

namespace asyncleak {
namespace {

double percent_of(std::uint64_t used, std::uint64_t limit) {
  return limit > 0 ? 100 * static_cast<double>(used) / static_cast<double>(limit) : 0;
}

// The worst that holds for a process which is observed at all.
Span coverage_span(const std::array<std::size_t, 4>& covered) {
  const auto count = [&](Coverage coverage) { return covered.at(static_cast<std::size_t>(coverage)); };
  if (const auto lower_bounds = count(Coverage::at_least); lower_bounds > 0) {
    return {fmt::format("at least, for {}", format_counted(lower_bounds, "process")), Role::warn};
  }
  if (count(Coverage::since_attach) > 0) return {"exact since attach", Role::good};
  if (count(Coverage::exact) > 0) return {"exact", Role::good};
  return {"nothing observed yet", Role::normal};
}

// All processes together; empty where none has been looked at.
Span census_span(const Report& report) {
  std::uint64_t differences = 0;
  std::size_t looked_at = 0, incomplete = 0;
  for (const ProcessRow& row : report.processes) {
    if (!row.process.census) continue;
    const CensusSample& census = *row.process.census;
    ++looked_at;
    incomplete += census.complete ? 0 : 1;
    differences += census.unknown_to_kernel + census.not_found;
  }
  if (looked_at == 0) return {""};
  if (differences > 0) return {fmt::format(", census differs by {}", format_count(differences)), Role::warn};
  if (incomplete > 0)
    return {fmt::format(", census incomplete for {}", format_counted(incomplete, "process")), Role::warn};
  return {", census agrees"};
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
    line.push_back({fmt::format(", {} not observed", format_counted(unobserved, "process")), Role::warn});
  }
  const ProbeSample& probes = report.probes;
  const double fill =
      std::max(percent_of(probes.tasks_used, probes.tasks_limit), percent_of(probes.sites_used, probes.sites_limit));
  constexpr double nearly_full = 80;
  line.push_back({fmt::format(", maps {} full", format_percent(fill)), fill > nearly_full ? Role::warn : Role::normal});
  if (probes.blocks_limit > 0) {
    const double blocks = percent_of(probes.blocks_used, probes.blocks_limit);
    line.push_back(
        {fmt::format(", blocks {} full", format_percent(blocks)), blocks > nearly_full ? Role::warn : Role::normal});
  }
  line.push_back(census_span(report));
  line.push_back(dropped_span(report));
  return line;
}

Line census_line(const ProcessSample& process, std::int64_t now_ns) {
  if (!process.census) return {{"none: see the warnings, or wait for the first", Role::dim}};
  const CensusSample& census = *process.census;
  const double age_s = std::max(0.0, static_cast<double>(now_ns - census.taken_ns) / 1e9);
  Line line = {{fmt::format("{} ago, {}, ", format_duration(age_s), format_milliseconds(census.duration_s))}};
  const std::string tasks = format_whole(census.tasks) + " tasks";
  if (census.unknown_to_kernel == 0 && census.not_found == 0) {
    line.push_back({tasks + " = kernel's; 0 unknown, 0 not found", Role::good});
  } else {
    line.push_back({fmt::format("{}; {} unknown to the kernel, {} not found in memory", tasks, census.unknown_to_kernel,
                                census.not_found),
                    Role::warn});
  }
  if (census.python_tasks > 0) {
    line.push_back({fmt::format("; {} of the pure-Python class", format_whole(census.python_tasks))});
  }
  if (census.complete) return line;
  std::string reasons;
  for (const auto& reason : census.reasons) reasons += (reasons.empty() ? ": " : ", ") + to_printable(reason);
  line.push_back({"; incomplete" + reasons, Role::warn});
  return line;
}

}  // namespace asyncleak
