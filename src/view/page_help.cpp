#include "view/pages.h"

#include "view/rows.h"
#include "view/width.h"

#include <fmt/format.h>
#include <array>

namespace asyncleak {
namespace {

struct KeyHelp {
  std::string_view keys, meaning;
};
constexpr std::array key_help = {
    KeyHelp{"arrows j k g G", "select a row; also PgUp PgDn Home End"},
    KeyHelp{"Enter", "a site: creation stack, ages, history; there: its tasks; a process: its sites"},
    KeyHelp{"!", "every finding with its evidence and hint; Enter: its site; again: back"},
    KeyHelp{"t", "the tasks of the site one by one, looked at now: locals, who holds them"},
    KeyHelp{"i", "the process: loops, memory, census"},
    KeyHelp{"m", "count the process's allocations: objects (not), malloc, all"},
    KeyHelp{"Esc Backspace", "back; at the top: clear the filter"},
    KeyHelp{"p", "rows are processes, or sites"},
    KeyHelp{"s F6   < >   I", "sort: choose the column, the next one, reverse"},
    KeyHelp{"/ F3   n N", "search: coroutine, process, file; next, previous"},
    KeyHelp{"f \\ F4", "show matching rows only"},
    KeyHelp{"Space Z", "pause: keep looking at this moment"},
    KeyHelp{"+ -", "refresh half as often, twice as often"},
    KeyHelp{"l", "label the next sample"},
    KeyHelp{", .  [ ]  { }", "a recording: one sample, 10 seconds, 10 minutes back and on; + -: faster, slower"},
    KeyHelp{"w", "write what is shown to a file"},
    KeyHelp{"? h F1", "this page"},
    KeyHelp{"q F10", "quit; q in a page: back; Q quits everywhere"},
};

}  // namespace

std::vector<Line> help_lines() {
  std::vector<Line> lines = {{{"Keys", Role::title}}};
  constexpr int keys_width = 16, column_width = 9;
  for (const auto& [keys, meaning] : key_help) {
    lines.push_back({{align_left(keys, keys_width), Role::strong}, {std::string(meaning)}});
  }
  lines.emplace_back();
  lines.push_back({{"Columns", Role::title}});
  for (const Column& column : columns()) {
    const int width = std::max(column_width, width_of(column.title));
    lines.push_back({{align_left(column.title, width) + "  ", Role::strong}, {std::string(column.help)}});
  }
  lines.emplace_back();
  lines.push_back({{"Verdicts", Role::title}});
  lines.push_back({{"leak", Role::bad}, {"     pending tasks only accumulate: the evidence is in"}});
  lines.push_back({{"growing", Role::warn}, {"  more and more of them, not yet proven"}});
  lines.push_back({{"steady", Role::strong}, {"   as many come as go, some live long"}});
  lines.push_back({{"churn", Role::strong}, {"    tasks come and go"}});
  lines.push_back({{"new", Role::strong}, {"      not watched long enough to say"}});
  return lines;
}

std::vector<Line> sort_lines(const UiState& ui) {
  std::vector<Line> lines = {{{"Sort by (Enter chooses, Esc leaves)", Role::title}}};
  constexpr int title_width = 12;
  int index = 0;
  for (const Column* column : sort_columns(ui.by_process)) {
    const Role role = index++ == ui.sort_choice ? Role::selected : Role::normal;
    lines.push_back({{fmt::format("{}{}", align_left(column->title, title_width), column->help), role}});
  }
  return lines;
}

std::vector<Line> page_lines(const Report& report, const UiState& ui, const Inspection* inspection, Size size) {
  switch (ui.page) {
    case Page::site:
      return site_lines(report, ui, size);
    case Page::tasks:
      return tasks_lines(report, ui, inspection, size);
    case Page::process:
      return process_lines(report, ui, size);
    case Page::findings:
      return findings_lines(report, ui, size);
    case Page::help:
      return help_lines();
    case Page::sort:
      return sort_lines(ui);
    case Page::table:
      break;
  }
  return {};
}

}  // namespace asyncleak
