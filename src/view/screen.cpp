#include "view/screen.h"

#include "model/user_frame.h"
#include "util/text.h"
#include "view/graph.h"
#include "view/layout.h"
#include "view/pages.h"
#include "view/width.h"

#include <fmt/format.h>
#include <algorithm>
#include <array>

namespace asyncleak {
namespace {

int put_line(ScreenFrame& frame, int row, const Line& line) {
  int column = 0;
  for (const Span& span : line) {
    column = frame.put(row, column, cut_right(span.text, frame.size().columns - column), span.role);
  }
  return column;
}

// The creator; with room for it, also who called the creator.
std::string created_text(const SiteRow& site, int width) {
  const SiteIdentity& identity = *site.identity;
  const Frame* frame = user_frame(identity);
  if (frame == nullptr) {
    const std::string place = definition_of(site, false);
    if (place.empty()) return std::string(unknown_cell);
    return width_of(place) > width ? cut_left(definition_of(site, true), width) : place;
  }
  std::string text = format_frame(*frame);
  if (width_of(text) > width) {
    Frame place = *frame;
    place.function.clear();
    const std::string where = format_frame_short(place);
    // The line number says more than the beginning of the file's name.
    return width_of(where) > width ? cut_left(where, width) : format_frame_short(*frame);
  }
  const auto* end = identity.created_at.data() + identity.created_at.size();
  for (const Frame* caller = frame + 1; caller < end; ++caller) {
    const std::string more = " < " + format_frame_short(*caller);
    if (width_of(text) + width_of(more) > width) break;
    text += more;
  }
  return text;
}

std::string command_text(const ProcessSample& process) {
  return to_printable(process.warnings.empty() ? process.cmdline : process.warnings.front());
}

// Exactly WIDTH columns. Names keep their end, places and command lines their beginning.
std::string table_cell(const PlacedColumn& placed, const TableRow& row, bool ascii) {
  const int width = placed.width;
  if (placed.kind == ColumnKind::sparkline) {
    return graph(row.site != nullptr ? row.site->history : row.process->history, width, 1, ascii).front();
  }
  if (placed.kind == ColumnKind::command_line) return align_left(command_text(row.process->process), width);
  const Column& column = *placed.column;
  if (column.id == "created_at") return align_left(created_text(*row.site, width), width);
  const std::string text = cell_text(column, row);
  return column.align == Align::right ? align_right(text, width) : align_left(cut_left(text, width), width);
}

Role cell_role(const PlacedColumn& placed, const TableRow& row) {
  if (placed.kind == ColumnKind::sparkline) return Role::sparkline;
  if (placed.kind == ColumnKind::command_line) {
    return row.process->process.warnings.empty() ? Role::normal : Role::warn;
  }
  const std::string_view id = placed.column->id;
  const bool of_bytes = row.site != nullptr && (id == "bytes" || id == "allocated_growth");
  if (!of_bytes && id != "verdict" && id != "coroutine" && id != "growth") return Role::normal;
  Verdict verdict = row.site != nullptr ? worst_verdict(*row.site) : row.process->verdict;
  if (of_bytes) verdict = row.site->allocated_verdict;
  if (verdict == Verdict::leak) return Role::bad;
  return verdict == Verdict::growing ? Role::warn : Role::normal;
}

std::string title_of(const PlacedColumn& placed) {
  if (placed.kind == ColumnKind::sparkline) return "HISTORY";
  if (placed.kind == ColumnKind::command_line) return "COMMAND LINE";
  return std::string(placed.column->title);
}

void draw_titles(ScreenFrame& frame, int row, const std::vector<PlacedColumn>& placed, const UiState& ui) {
  frame.paint(row, Role::title);
  for (const PlacedColumn& each : placed) {
    const bool right = each.kind == ColumnKind::column && each.column->align == Align::right;
    const bool sorted = each.column == &sort_column(ui);
    const std::string title = right ? align_right(title_of(each), each.width) : align_left(title_of(each), each.width);
    frame.put(row, each.at, title, sorted ? Role::sorted : Role::title);
  }
}

void draw_empty(ScreenFrame& frame, const Regions& regions, const std::vector<Line>& lines) {
  const int count = std::min(static_cast<int>(lines.size()), regions.body_rows);
  const int top = regions.body_row + (regions.body_rows - count) / 2;
  for (int i = 0; i < count; ++i) {
    const Span& span = lines[static_cast<std::size_t>(i)].front();
    const int margin = std::max(0, (frame.size().columns - width_of(span.text)) / 2);
    frame.put(top + i, margin, cut_right(span.text, frame.size().columns), span.role);
  }
}

void draw_table(ScreenFrame& frame, const Report& report, const UiState& ui, const Regions& regions,
                const std::vector<TableRow>& rows) {
  if (rows.empty()) return draw_empty(frame, regions, empty_lines(report, ui));
  if (regions.body_rows == 0) return;
  const std::vector<PlacedColumn> placed = place_columns(rows, ui.by_process, frame.size().columns);
  draw_titles(frame, regions.body_row, placed, ui);
  const int selected = selected_index(rows, ui);
  const int visible = table_rows(regions);
  const int first = first_visible(ui.first_row, selected, visible, static_cast<int>(rows.size()));
  for (int i = 0; i < visible && first + i < static_cast<int>(rows.size()); ++i) {
    const int index = first + i;
    const TableRow& row = rows[static_cast<std::size_t>(index)];
    const int at = regions.body_row + 1 + i;
    for (const PlacedColumn& each : placed) {
      frame.put(at, each.at, table_cell(each, row, ui.ascii), cell_role(each, row), each.width);
    }
    if (index == selected) frame.paint(at, Role::selected);
  }
}

void draw_page(ScreenFrame& frame, const Report& report, const UiState& ui, const Inspection* inspection,
               const Regions& regions) {
  const std::vector<Line> lines = page_lines(report, ui, inspection, {frame.size().columns, regions.body_rows});
  const int count = static_cast<int>(lines.size());
  const int first = std::clamp(ui.page_scroll, 0, std::max(0, count - regions.body_rows));
  for (int i = 0; i < regions.body_rows && first + i < count; ++i) {
    const int index = first + i;
    const Line& line = lines[static_cast<std::size_t>(index)];
    const int end = put_line(frame, regions.body_row + i, line);
    const bool whole_row = line.size() == 1 && (line[0].role == Role::title || line[0].role == Role::selected);
    if (whole_row) frame.paint(regions.body_row + i, line[0].role, end);
  }
}

// Which rows these are, in which order: what a reader must know before believing the table.
void draw_status(ScreenFrame& frame, int row, const Report& report, const UiState& ui, std::size_t rows) {
  if (row < 0 || ui.page != Page::table) return;
  std::string text = format_counted(rows, ui.by_process ? "process" : "site");
  if (ui.only_pid) text += fmt::format(" of process {} (Esc: all)", *ui.only_pid);
  if (!ui.filter.empty()) text += fmt::format(" with \"{}\"", to_printable(ui.filter));
  text += fmt::format(" by {}{}", sort_column(ui).title, ui.reversed ? " reversed" : "");
  if (report.findings.size() > 1) text += fmt::format("; {}", format_counted(report.findings.size(), "finding"));
  frame.put(row, 0, cut_right(text, frame.size().columns), Role::dim);
}

struct KeyLabel {
  std::string_view key, label;
};

void draw_labels(ScreenFrame& frame, int row, std::span<const KeyLabel> labels) {
  int column = 0;
  for (const auto& [key, label] : labels) {
    const int width = width_of(key) + width_of(label);
    if (column + width > frame.size().columns) return;
    column = frame.put(row, column, key, Role::strong);
    column = frame.put(row, column, label, Role::key) + 1;
  }
}

struct PromptText {
  std::string_view title, typed;
};

PromptText prompt_of(const UiState& ui) {
  if (ui.prompt == Prompt::search) return {"Search: ", ui.search};
  if (ui.prompt == Prompt::filter) return {"Filter: ", ui.filter};
  return {"Label: ", ui.label};
}

void draw_keys(ScreenFrame& frame, int row, const UiState& ui) {
  constexpr std::array table_keys = {KeyLabel{"?", "Help"},     KeyLabel{"q", "Quit"},    KeyLabel{"Enter", "Details"},
                                     KeyLabel{"!", "Findings"}, KeyLabel{"p", "Process"}, KeyLabel{"s", "Sort"},
                                     KeyLabel{"/", "Search"},   KeyLabel{"f", "Filter"},  KeyLabel{"Space", "Pause"},
                                     KeyLabel{"w", "Write"}};
  constexpr std::array page_keys = {KeyLabel{"Esc", "Back"}, KeyLabel{"Up/Down", "Scroll"}, KeyLabel{"Space", "Pause"},
                                    KeyLabel{"?", "Help"}};
  constexpr std::array site_keys = {KeyLabel{"Esc", "Back"},       KeyLabel{"t", "Tasks"},     KeyLabel{"i", "Process"},
                                    KeyLabel{"Up/Down", "Scroll"}, KeyLabel{"Space", "Pause"}, KeyLabel{"?", "Help"}};
  constexpr std::array findings_keys = {KeyLabel{"Esc", "Back"}, KeyLabel{"Enter", "Site"},
                                        KeyLabel{"Up/Down", "Select"}, KeyLabel{"Space", "Pause"},
                                        KeyLabel{"?", "Help"}};
  constexpr std::array sort_keys = {KeyLabel{"Enter", "Choose"}, KeyLabel{"Esc", "Back"}};
  constexpr std::array playback_keys = {
      KeyLabel{"?", "Help"},  KeyLabel{"q", "Quit"},    KeyLabel{"Space", "Pause"}, KeyLabel{", .", "Step"},
      KeyLabel{"[ ]", "10s"}, KeyLabel{"{ }", "10min"}, KeyLabel{"+ -", "Speed"},   KeyLabel{"Enter", "Details"}};
  if (row < 0) return;
  if (ui.prompt != Prompt::none) {
    const auto [title, typed] = prompt_of(ui);
    const int at = frame.put(row, 0, title, Role::strong);
    const int end = frame.put(row, at, cut_left(typed, frame.size().columns - at - 1), Role::normal);
    frame.put(row, end, " ", Role::selected);
  } else if (!ui.message.empty()) {
    frame.put(row, 0, cut_right(ui.message, frame.size().columns), Role::warn);
  } else if (ui.page == Page::table) {
    draw_labels(frame, row, ui.playback ? std::span<const KeyLabel>(playback_keys) : table_keys);
  } else if (ui.page == Page::sort) {
    draw_labels(frame, row, sort_keys);
  } else if (ui.page == Page::findings) {
    draw_labels(frame, row, findings_keys);
  } else {
    const bool of_site = ui.page == Page::site || ui.page == Page::tasks;
    draw_labels(frame, row, of_site ? std::span<const KeyLabel>(site_keys) : page_keys);
  }
}

}  // namespace

ScreenFrame render(const Report& report, const UiState& ui, Size size, const Inspection* inspection) {
  ScreenFrame frame(size);
  const Regions where = regions(report, ui, size);
  const std::vector<Line> summary = summary_lines(report, ui);
  for (int row = 0; row < where.summary_rows; ++row) put_line(frame, row, summary[static_cast<std::size_t>(row)]);

  if (where.findings_rows > 0) {
    int row = where.findings_row;
    for (const Line& line : finding_lines(report, ui, size)) put_line(frame, row++, line);
  }
  if (ui.page == Page::table) {
    const std::vector<TableRow> rows = visible_rows(report, ui);
    draw_status(frame, where.status_row, report, ui, rows.size());
    draw_table(frame, report, ui, where, rows);
  } else {
    draw_page(frame, report, ui, inspection, where);
  }
  draw_keys(frame, where.keys_row, ui);
  return frame;
}

}  // namespace asyncleak
