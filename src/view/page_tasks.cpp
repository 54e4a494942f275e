#include "model/site_kind.h"
#include "util/text.h"
#include "view/inspect_task.h"
#include "view/inspect_text.h"
#include "view/page_parts.h"
#include "view/rows.h"
#include "view/task_tree.h"
#include "view/width.h"

#include <fmt/format.h>
#include <algorithm>

namespace asyncleak {
namespace {

// A task from before the attach has no creation stack, and belongs to a site without one.
bool belongs(const InspectedTask& task, const SiteIdentity& site) {
  if (task.coroutine != site.coroutine || task.file != site.file || task.line != site.line) return false;
  return task.created_at == site.created_at || task.created_at.empty();
}

std::vector<const InspectedTask*> tasks_of(const Inspection& inspection, const SiteIdentity& site) {
  std::vector<const InspectedTask*> tasks;
  for (const InspectedTask& task : inspection.tasks) {
    if (belongs(task, site)) tasks.push_back(&task);
  }
  std::stable_sort(tasks.begin(), tasks.end(), [](const auto* a, const auto* b) { return is_older(*a, *b); });
  return tasks;
}

void add_table(std::vector<Line>& lines, const std::vector<const InspectedTask*>& tasks, int width) {
  constexpr int age_width = 8, held_width = 9, state_width = 10;
  int name_width = 4;
  constexpr int most_name = 24;
  for (const InspectedTask* task : tasks) name_width = std::max(name_width, width_of(to_printable(task->name)));
  name_width = std::min(name_width, most_name);
  lines.push_back(
      {{align_left(align_left("TASK", name_width) + " " + align_right("AGE", age_width) +
                       align_right("HELD", held_width) + " " + align_left("STATE", state_width) + " WAITING AT",
                   width),
        Role::title}});
  for (const InspectedTask* task : tasks) {
    Line line = {
        {align_left(to_printable(task->name), name_width) + " " + align_right(age_text(*task), age_width) +
         align_right(held_text(*task), held_width) + " "},
        {align_left(ignores_cancel(*task) ? "cancelling" : task->state, state_width) + " ", state_role(*task)}};
    if (!task->await_chain.empty()) line.push_back({format_frame_short(task->await_chain.front())});
    lines.push_back(cut_line(line, width));
  }
}

void add_tasks(std::vector<Line>& lines, const Inspection& inspection, const SiteIdentity& site, int width) {
  const auto tasks = tasks_of(inspection, site);
  if (tasks.empty()) {
    lines.push_back({{"none of its tasks was there", Role::warn}});
    return;
  }
  lines.push_back({{"The oldest"}});
  lines.push_back(cut_line(task_head(*tasks.front()), width));
  for (const Line& line : task_details(*tasks.front(), "  ", false)) lines.push_back(cut_line(line, width));
  lines.emplace_back();
  add_table(lines, tasks, width);
  if (inspection.tasks_left_out > 0) {
    lines.push_back(
        {{fmt::format("... {} more of this coroutine are not listed", format_whole(inspection.tasks_left_out)),
          Role::dim}});
  }
}

// What is no task is listed by what it is alike in.
std::vector<Line> other_lines(const Inspection& inspection, const SiteIdentity& site) {
  if (site.blocks) return {{{"code outside any task: all that is known of its blocks is on the page before"}}};
  switch (kind_of(site)) {
    case SiteKind::coroutine:
      return group_lines(inspection.coroutines, site.coroutine);
    case SiteKind::asyncgen:
      return group_lines(inspection.asyncgens, site.coroutine);
    case SiteKind::timer:
      return group_lines(inspection.timers, site.coroutine);
    case SiteKind::transport:
      return transport_lines(inspection.transports, site.coroutine);
    case SiteKind::task:
    case SiteKind::alloc:
      break;
  }
  return {};
}

}  // namespace

std::vector<Line> tasks_lines(const Report& report, const UiState& ui, const Inspection* inspection, Size size) {
  const SiteRow* site = selected_site(report, ui);
  if (site == nullptr) return {{{"This site is gone: its process has ended. Esc goes back.", Role::warn}}};
  const SiteIdentity& identity = *site->identity;
  std::vector<Line> lines = {{{cut_left(to_printable(identity.coroutine), size.columns), Role::strong}}};
  if (inspection == nullptr || inspection->process.pid != identity.pid) {
    lines.push_back({{"not looked at yet", Role::dim}});
    return lines;
  }
  const double age_s = static_cast<double>(report.wall_ns - inspection->wall_ns) / 1e9;
  lines.push_back({{fmt::format("process {}, looked at {} ago (t looks again)", identity.pid,
                                format_duration(std::max(0.0, age_s)))}});
  if (kind_of(identity) == SiteKind::task) {
    add_tasks(lines, *inspection, identity, size.columns);
  } else {
    for (const Line& line : other_lines(*inspection, identity)) lines.push_back(cut_line(line, size.columns));
  }
  return lines;
}

}  // namespace asyncleak
