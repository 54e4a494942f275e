#include "util/text.h"
#include "view/allocation_text.h"
#include "view/finding_text.h"
#include "view/page_parts.h"
#include "view/rows.h"
#include "view/trust.h"
#include "view/width.h"

#include <fmt/format.h>

namespace asyncleak {
namespace {

std::string rate_text(const std::optional<double>& value) {
  return value ? format_rate(*value) : std::string(unknown_cell);
}

void add_tasks(std::vector<Line>& lines, const ProcessRow& row, int width) {
  std::string text = fmt::format("{} outstanding of {} created, {} destroyed", format_whole(row.outstanding),
                                 format_whole(row.created_total), format_whole(row.destroyed_total));
  if (row.pending && row.done) {
    text += fmt::format("; {} pending, {} done", format_whole(*row.pending), format_whole(*row.done));
  }
  add_labelled(lines, "Tasks", {{text}}, width);
  add_labelled(lines, "Rates",
               {{fmt::format("{}/s created, {}/s destroyed, growth {}/min", rate_text(row.created_per_s),
                             rate_text(row.destroyed_per_s),
                             row.growth_per_min ? format_change(*row.growth_per_min) : std::string(unknown_cell))}},
               width);
}

// ", pod shop/web-0, container 4f0e5d2c9a1b (containerd), there PID 7".
std::string container_text(const ProcessSample& process) {
  const ContainerFacts& inside = process.inside;
  std::string text;
  if (!inside.pod_uid.empty()) {
    const std::string space = inside.pod_namespace.empty() ? "" : to_printable(inside.pod_namespace) + "/";
    text += ", pod " + space + to_printable(inside.pod.empty() ? inside.pod_uid : inside.pod);
  }
  if (!process.container.empty()) text += ", container " + to_printable(process.container);
  if (!inside.runtime.empty()) text += fmt::format(" ({})", to_printable(inside.runtime));  // only with a container
  if (inside.pid) text += fmt::format(", there PID {}", *inside.pid);
  return text;
}

}  // namespace

std::string process_title(const ProcessSample& process) {
  std::string text = fmt::format("process {} {}", process.pid, to_printable(process.comm));
  if (!process.python.empty()) text += fmt::format(", Python {}", to_printable(process.python));
  if (!process.unit.empty()) text += fmt::format(", {}", to_printable(process.unit));
  return text + container_text(process);
}

std::vector<Line> process_lines(const Report& report, const UiState& ui, Size size) {
  const ProcessRow* row = selected_process(report, ui);
  if (row == nullptr) return {{{"This process has ended. Esc goes back.", Role::warn}}};
  const ProcessSample& process = row->process;
  const bool observed = process.tasks != Coverage::none;
  std::vector<Line> lines;
  lines.push_back({{process_title(process), Role::strong},
                   {observed ? fmt::format("  {}", name_of(row->verdict)) : "", role_of(row->verdict)}});
  lines.push_back({{to_printable(process.cmdline)}});
  for (const auto& warning : process.warnings) lines.push_back({{to_printable(warning), Role::warn}});
  if (observed) {
    add_labelled(lines, "Counts", {{std::string(name_of(process.tasks))}}, size.columns);
    add_tasks(lines, *row, size.columns);
    add_labelled(lines, "Census", census_line(process, report.monotonic_ns), size.columns);
  }
  add_process_facts(lines, process, size.columns);
  if (row->rss_baseline_bytes) {
    add_labelled(lines, "", {{fmt::format("RSS at the beginning {}", format_bytes(*row->rss_baseline_bytes))}},
                 size.columns);
  }
  if (process.allocations) {
    add_labelled(lines, "Alloc", allocations_line(*row, report.monotonic_ns), size.columns);
    if (row->account) add_labelled(lines, "Growth", account_line(*row), size.columns);
  }
  for (const Finding& finding : report.findings) {
    if (finding.pid == process.pid) add_finding(lines, finding, size.columns);
  }
  const int headings = 2;
  add_history(lines, "Outstanding tasks, newest at the right", row->history, size.columns,
              size.rows - static_cast<int>(lines.size()) - headings, ui.ascii);
  return lines;
}

}  // namespace asyncleak
