#include "view/keys.h"

#include "view/findings_list.h"
#include "view/layout.h"
#include "view/motion_keys.h"
#include "view/pages.h"
#include "view/playback_keys.h"
#include "view/rows.h"
#include "view/width.h"

#include <algorithm>
#include <utility>

namespace asyncleak {
namespace {

constexpr double least_delay_s = 0.1, most_delay_s = 3600;  // DESIGN.md section 2, --delay

// What a key acts on. Made anew for every key: reports come and go between them.
struct Context {
  UiState& ui;
  const Report& report;
  Size size;
  const Inspection* inspection;
};

void select_visibly(const Context& context, const std::vector<TableRow>& rows, int index) {
  UiState& ui = context.ui;
  select_row(ui, rows, index);
  const int visible = table_rows(regions(context.report, ui, context.size));
  ui.first_row = first_visible(ui.first_row, ui.selected_index, visible, static_cast<int>(rows.size()));
}

// The next row that matches the search, from INDEX on in the direction of STEP, around the end.
void find(const Context& context, int offset, int step) {
  if (context.ui.search.empty()) return;
  const std::vector<TableRow> rows = visible_rows(context.report, context.ui);
  const int count = static_cast<int>(rows.size());
  const int start = selected_index(rows, context.ui) + offset;
  for (int i = 0; i < count; ++i) {
    const int index = ((start + i * step) % count + count) % count;
    if (matches(rows[static_cast<std::size_t>(index)], context.ui.search)) {
      return select_visibly(context, rows, index);
    }
  }
  context.ui.message = "not found: " + context.ui.search;
}

std::string& text_of_prompt(UiState& ui) {
  return ui.prompt == Prompt::search ? ui.search : ui.prompt == Prompt::filter ? ui.filter : ui.label;
}

Action prompt_key(const Context& context, Key key) {
  UiState& ui = context.ui;
  const bool searching = ui.prompt == Prompt::search;
  std::string& text = text_of_prompt(ui);
  if (key.code == KeyCode::enter) {
    const bool label = std::exchange(ui.prompt, Prompt::none) == Prompt::label;
    if (label && !text.empty()) return Action::set_label;
  } else if (key.code == KeyCode::escape || (key.code == KeyCode::backspace && text.empty())) {
    text.clear();
    ui.prompt = Prompt::none;
  } else if (key.code == KeyCode::backspace) {
    while (!text.empty() && (static_cast<unsigned char>(text.back()) & 0xC0U) == 0x80U) text.pop_back();
    if (!text.empty()) text.pop_back();
  } else if (key.code == KeyCode::character && key.character >= U' ') {
    append_utf8(text, key.character);
  } else {
    return Action::none;
  }
  if (searching) find(context, 0, 1);
  return Action::redraw;
}

// A page from which Esc comes back to this one.
void open_page(UiState& ui, Page page) {
  ui.pages_below.push_back(ui.page);
  ui.page = page;
  ui.page_scroll = 0;
}

void leave_page(UiState& ui) {
  ui.page = ui.pages_below.empty() ? Page::table : ui.pages_below.back();
  if (!ui.pages_below.empty()) ui.pages_below.pop_back();
  ui.page_scroll = 0;
}

void show_top(UiState& ui) {
  ui.first_row = ui.selected_index = 0;
  ui.selected_site.reset();
  ui.selected_pid.reset();
}

void enter_row(const Context& context) {
  UiState& ui = context.ui;
  const std::vector<TableRow> rows = visible_rows(context.report, ui);
  if (rows.empty()) return;
  select_visibly(context, rows, selected_index(rows, ui));
  if (!ui.by_process) {
    open_page(ui, Page::site);
    return;
  }
  ui.by_process = false;
  ui.only_pid = ui.selected_pid;
  ui.filter.clear();  // it chose among the processes; their sites need not match it
  ui.first_row = ui.selected_index = 0;
  ui.selected_site.reset();
}

// Out of the innermost thing; false at the top.
bool leave_table(UiState& ui) {
  if (!ui.filter.empty()) {
    ui.filter.clear();
  } else if (ui.only_pid) {
    ui.only_pid.reset();
    ui.by_process = true;
    ui.first_row = ui.selected_index = 0;
  } else {
    return false;
  }
  return true;
}

// To the next shown column, left or right.
void move_sort(const Context& context, int step) {
  UiState& ui = context.ui;
  const std::vector<TableRow> rows = visible_rows(context.report, ui);
  std::vector<const Column*> shown;
  for (const PlacedColumn& placed : place_columns(rows, ui.by_process, context.size.columns)) {
    if (placed.column != nullptr) shown.push_back(placed.column);
  }
  if (shown.empty()) return;
  const auto now = std::find(shown.begin(), shown.end(), &sort_column(ui)) - shown.begin();
  const auto last = static_cast<std::ptrdiff_t>(shown.size()) - 1;
  ui.sort = shown[static_cast<std::size_t>(std::clamp<std::ptrdiff_t>(now + step, 0, last))]->id;
  ui.reversed = false;
}

void open_sort(UiState& ui) {
  const auto choices = sort_columns(ui.by_process);
  ui.sort_choice = static_cast<int>(std::find(choices.begin(), choices.end(), &sort_column(ui)) - choices.begin());
  ui.page = Page::sort;
  ui.page_scroll = 0;
}

Action sort_key(const Context& context, Key key) {
  UiState& ui = context.ui;
  const auto choices = sort_columns(ui.by_process);
  const int last = static_cast<int>(choices.size()) - 1;
  const Regions where = regions(context.report, ui, context.size);
  if (const auto lines = movement(key, where.body_rows, last + 1)) {
    ui.sort_choice = std::clamp(ui.sort_choice + *lines, 0, last);
    const int line = ui.sort_choice + 1;  // below the title
    ui.page_scroll = first_visible(ui.page_scroll, line, where.body_rows, last + 2);
  } else if (is_enter(key)) {
    ui.sort = choices[static_cast<std::size_t>(ui.sort_choice)]->id;
    ui.reversed = false;
    ui.page = Page::table;
  } else if (is_back(key) || letter_of(key) == U'q') {
    ui.page = Page::table;
  } else {
    return Action::none;
  }
  return Action::redraw;
}

// Of the selected site; where that page is open already, a new look.
Action open_tasks(UiState& ui) {
  if (!ui.selected_site) return Action::none;
  if (ui.page != Page::tasks) open_page(ui, Page::tasks);
  return Action::inspect_site;
}

// Of the process of the selected row, or of the page.
Action change_memory(const Context& context) {
  UiState& ui = context.ui;
  if (ui.page == Page::table) {
    const std::vector<TableRow> rows = visible_rows(context.report, ui);
    if (rows.empty()) return Action::none;
    select_visibly(context, rows, selected_index(rows, ui));
  }
  const ProcessRow* process = selected_process(context.report, ui);
  if (process == nullptr) return Action::none;
  ui.memory_pid = process->process.pid;
  return Action::change_memory;
}

Action page_key(const Context& context, Key key) {
  UiState& ui = context.ui;
  const int body = regions(context.report, ui, context.size).body_rows;
  const int lines =
      static_cast<int>(page_lines(context.report, ui, context.inspection, {context.size.columns, body}).size());
  const bool of_site = ui.page == Page::site || ui.page == Page::tasks;
  if (of_site && letter_of(key) == U't') return open_tasks(ui);
  if (ui.page == Page::site && is_enter(key)) return open_tasks(ui);
  if (const auto moved = movement(key, body, lines)) {
    ui.page_scroll = std::clamp(ui.page_scroll + *moved, 0, std::max(0, lines - body));
  } else if (is_back(key) || letter_of(key) == U'q') {
    leave_page(ui);
  } else if (of_site && letter_of(key) == U'i') {
    open_page(ui, Page::process);
  } else if ((of_site || ui.page == Page::process) && letter_of(key) == U'm') {
    return change_memory(context);
  } else {
    return Action::none;
  }
  return Action::redraw;
}

Action findings_key(const Context& context, Key key) {
  UiState& ui = context.ui;
  const Size body = {context.size.columns, regions(context.report, ui, context.size).body_rows};
  constexpr int page = 3;  // findings
  if (const auto moved = movement(key, page, static_cast<int>(context.report.findings.size()))) {
    move_finding(ui, context.report, body, *moved);
  } else if (is_enter(key)) {
    const Page subject = select_subject(ui, context.report);
    if (subject != Page::table) open_page(ui, subject);
  } else if (is_back(key) || letter_of(key) == U'q') {
    leave_page(ui);
  } else {
    return Action::none;
  }
  return Action::redraw;
}

// A page about the selected row: its tasks, its process.
Action open_of_row(const Context& context, char32_t letter) {
  UiState& ui = context.ui;
  const std::vector<TableRow> rows = visible_rows(context.report, ui);
  if (rows.empty() || (letter == U't' && ui.by_process)) return Action::none;
  select_visibly(context, rows, selected_index(rows, ui));
  if (letter == U't') return open_tasks(ui);
  open_page(ui, Page::process);
  return Action::redraw;
}

Action table_letter(const Context& context, char32_t letter) {
  UiState& ui = context.ui;
  switch (letter) {
    case U'q':
      return Action::quit;
    case U'p':
      ui.by_process = !ui.by_process;
      ui.only_pid.reset();
      show_top(ui);
      break;
    case U's':
      open_sort(ui);
      break;
    case U'<':
    case U'>':
      move_sort(context, letter == U'<' ? -1 : 1);
      break;
    case U'I':
      ui.reversed = !ui.reversed;
      break;
    case U'/':
      ui.prompt = Prompt::search;
      ui.search.clear();
      break;
    case U't':
    case U'i':
      return open_of_row(context, letter);
    case U'm':
      return change_memory(context);
    case U'n':
      find(context, 1, 1);
      break;
    case U'N':
      find(context, -1, -1);
      break;
    case U'f':
    case U'\\':
      ui.prompt = Prompt::filter;
      break;
    default:
      return Action::none;
  }
  return Action::redraw;
}

Action table_key(const Context& context, Key key) {
  UiState& ui = context.ui;
  const std::vector<TableRow> rows = visible_rows(context.report, ui);
  const int page = std::max(1, table_rows(regions(context.report, ui, context.size)));
  if (const auto lines = movement(key, page, static_cast<int>(rows.size()))) {
    select_visibly(context, rows, selected_index(rows, ui) + *lines);
    return Action::redraw;
  }
  if (is_enter(key)) {
    enter_row(context);
    return Action::redraw;
  }
  if (is_back(key)) return leave_table(ui) ? Action::redraw : Action::none;
  if (letter_of(key) == U'q' && ui.only_pid) {  // a page like others: back to the processes
    ui.filter.clear();
    leave_table(ui);
    return Action::redraw;
  }
  return table_letter(context, letter_of(key));
}

// Keys that mean the same on every page; nullopt: not one of them.
std::optional<Action> common_key(UiState& ui, Key key) {
  switch (letter_of(key)) {
    case U'Q':
      return Action::quit;
    case U' ':
    case U'Z':
      ui.paused = !ui.paused;
      return Action::redraw;
    case U'+':
    case U'-':
      ui.delay_s = std::clamp(key.character == U'+' ? ui.delay_s * 2 : ui.delay_s / 2, least_delay_s, most_delay_s);
      return Action::change_delay;
    case U'w':
      return Action::write_snapshot;
    case U'l':
      ui.prompt = Prompt::label;
      ui.label.clear();
      return Action::redraw;
    case U'!':
      ui.page == Page::findings ? leave_page(ui) : open_page(ui, Page::findings);
      return Action::redraw;
    case U'?':
    case U'h':
      if (ui.page != Page::help) open_page(ui, Page::help);
      return Action::redraw;
    default:
      return std::nullopt;
  }
}

}  // namespace

Action handle_key(UiState& ui, Key key, const Report& report, Size size, const Inspection* inspection) {
  if (key.code == KeyCode::hangup) return Action::quit;
  if (key.code == KeyCode::resize) return Action::redraw;
  const bool had_message = !ui.message.empty();
  ui.message.clear();
  const Context context{ui, report, size, inspection};
  if (ui.prompt != Prompt::none) return prompt_key(context, key);
  if (ui.playback) {
    if (const auto action = playback_key(ui, letter_of(key))) return *action;
  }
  if (const auto action = common_key(ui, key)) return *action;
  Action action = Action::none;
  if (ui.page == Page::table) {
    action = table_key(context, key);
  } else if (ui.page == Page::findings) {
    action = findings_key(context, key);
  } else {
    action = ui.page == Page::sort ? sort_key(context, key) : page_key(context, key);
  }
  return action == Action::none && had_message ? Action::redraw : action;
}

}  // namespace asyncleak
