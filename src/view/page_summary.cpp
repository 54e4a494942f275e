#include "view/pages.h"

#include "util/text.h"
#include "view/allocation_text.h"
#include "view/trust.h"

#include <fmt/format.h>
#include <algorithm>
#include <ctime>
#include <iterator>
#include <utility>

namespace asyncleak {
namespace {

std::string rate_text(const std::optional<double>& value) {
  return value ? format_rate(*value) : std::string(unknown_cell);
}

std::string clock_text(std::int64_t wall_ns) {
  const std::time_t seconds = wall_ns / 1'000'000'000;
  std::tm local{};
  localtime_r(&seconds, &local);
  return fmt::format("{:02}:{:02}:{:02}", local.tm_hour, local.tm_min, local.tm_sec);
}

// Of a recording: what of it is shown.
std::string playback_text(const Playback& playback) {
  std::string text = fmt::format("replaying {} at {} of {}", to_printable(playback.file),
                                 format_duration(playback.position_s), format_duration(playback.length_s));
  if (playback.speed != 1) text += playback.speed == 0 ? ", at full speed" : fmt::format(", x{:g}", playback.speed);
  if (!playback.label.empty()) text += fmt::format(", label {}", to_printable(playback.label));
  return text;
}

Line title_line(const Report& report, const UiState& ui) {
  Line line = {{"asyncleak-top", Role::strong}};
  if (ui.playback) {
    if (ui.playback->at_end) {
      line.push_back({" END", Role::warn});
    } else if (ui.paused) {
      line.push_back({" PAUSED", Role::warn});
    }
    line.push_back({fmt::format(" {} ", clock_text(report.wall_ns)), Role::strong});
    line.push_back({playback_text(*ui.playback)});
    return line;
  }
  if (ui.paused) line.push_back({" PAUSED", Role::warn});
  line.push_back({fmt::format(" {} ", clock_text(report.wall_ns)), Role::strong});
  line.push_back({fmt::format("{} up {}, watching {} for {}, every {}", to_printable(report.host),
                              format_duration(report.host_uptime_s), format_counted(report.processes.size(), "process"),
                              format_duration(report.watched_s), format_duration(ui.delay_s))});
  return line;
}

Line tasks_line(const Report& report) {
  std::optional<double> growth;
  for (const ProcessRow& process : report.processes) {
    if (process.growth_per_min) growth = growth.value_or(0) + *process.growth_per_min;
  }
  return {{"Tasks:  "},
          {format_count(report.outstanding), Role::header},
          {" outstanding, "},
          {rate_text(report.created_per_s), Role::header},
          {"/s created, "},
          {rate_text(report.destroyed_per_s), Role::header},
          {"/s destroyed, growth "},
          {growth ? format_change(*growth) : std::string(unknown_cell), Role::header},
          {"/min"}};
}

Line probes_line(const Report& report) {
  constexpr double noticeable = 10;  // percent of a core
  const bool costly = report.overhead_percent.value_or(0) > noticeable;
  return {{"Probes: "},
          {rate_text(report.hits_per_s), Role::header},
          {" hits/s of "},
          {fmt::format("{:.0f}", report.probes.cost_ns_per_hit), Role::header},
          {" ns, overhead "},
          {report.overhead_percent ? format_percent(*report.overhead_percent) : std::string(unknown_cell),
           costly ? Role::warn : Role::header},
          {" of a core"}};
}

}  // namespace

std::vector<Line> summary_lines(const Report& report, const UiState& ui) {
  Line trust = {{"Trust:  "}};
  std::ranges::move(trust_line(report), std::back_inserter(trust));
  std::vector<Line> lines = {title_line(report, ui), tasks_line(report), std::move(trust), probes_line(report)};
  Line price = allocation_price_line(report);
  if (price.empty()) return lines;
  price.insert(price.begin(), {"Memory: "});
  lines.push_back(std::move(price));
  return lines;
}

std::vector<Line> empty_lines(const Report& report, const UiState& ui) {
  std::vector<Line> lines;
  const auto observed = std::count_if(report.processes.begin(), report.processes.end(),
                                      [](const ProcessRow& row) { return row.process.tasks != Coverage::none; });
  if (!ui.filter.empty()) {
    lines.push_back({{fmt::format("nothing matches the filter \"{}\" (Esc clears it)", to_printable(ui.filter))}});
  } else if (observed == 0) {
    lines.push_back({{"no asyncio process yet: waiting", Role::strong}});
  } else {
    lines.push_back({{fmt::format("no task created since attach in {} watched",
                                  format_counted(static_cast<std::uint64_t>(observed), "process")),
                      Role::strong}});
  }
  for (const ProcessRow& row : report.processes) {
    for (const std::string& warning : row.process.warnings) {
      lines.push_back(
          {{fmt::format("{} {}: {}", row.process.pid, to_printable(row.process.comm), to_printable(warning)),
            Role::warn}});
    }
  }
  return lines;
}

}  // namespace asyncleak
