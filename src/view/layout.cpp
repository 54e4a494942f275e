#include "view/layout.h"

#include "model/site_kind.h"
#include "view/finding_text.h"
#include "view/findings_list.h"
#include "view/width.h"

#include <algorithm>
#include <array>
#include <climits>
#include <span>
#include <string_view>

namespace asyncleak {
namespace {

// By importance. The first group is squeezed to fit; the second comes only where the first has
// all the room it wants.
constexpr std::array<std::string_view, 7> site_first = {"coroutine", "outstanding", "growth", "created_at",
                                                        "verdict",   "confidence",  "pid"};
constexpr std::array<std::string_view, 3> site_then = {"oldest", "created_per_s", "comm"};
// The same where allocations are counted: there bytes come first.
constexpr std::array<std::string_view, 6> allocating_first = {"coroutine",   "bytes",   "allocated_growth",
                                                              "outstanding", "verdict", "created_at"};
constexpr std::array<std::string_view, 7> allocating_then = {"pid",    "confidence",    "growth", "blocks",
                                                             "oldest", "created_per_s", "comm"};
constexpr std::array<std::string_view, 8> site_more = {"pending", "done",  "held",          "destroyed_per_s",
                                                       "median",  "bytes", "created_total", "kind"};
constexpr std::array<std::string_view, 6> process_first = {"pid",    "comm",    "outstanding",
                                                           "growth", "verdict", "created_per_s"};
constexpr std::array<std::string_view, 5> process_more = {"bytes", "pending", "done", "destroyed_per_s",
                                                          "created_total"};

constexpr int sparkline_from = 100;  // columns of screen
constexpr int least_sparkline = 12, most_sparkline = 24;
constexpr int command_line_width = 24;

bool is_flexible(std::string_view id) { return id == "coroutine" || id == "created_at"; }
int least_width(std::string_view id) { return id == "coroutine" ? 20 : 16; }
int most_width(std::string_view id) { return id == "coroutine" ? 48 : 40; }

// The rows that decide how wide a column is: measuring all of ten thousand would cost more than
// drawing them, and the first are the ones that are looked at.
std::span<const TableRow> measured(const std::vector<TableRow>& rows) {
  constexpr std::size_t most = 100;
  return {rows.data(), std::min(rows.size(), most)};
}

int content_width(const Column& column, const std::vector<TableRow>& rows) {
  int width = width_of(column.title);
  for (const TableRow& row : measured(rows)) width = std::max(width, width_of(cell_text(column, row)));
  return width;
}

// Fits the content, but numbers that come and go do not move the columns.
int wanted_width(const Column& column, const std::vector<TableRow>& rows) {
  const int content = content_width(column, rows);
  if (is_flexible(column.id)) return std::clamp(content, least_width(column.id), most_width(column.id));
  const int steady_number = std::min(6, column.width);
  const int least = column.align == Align::right && column.id != "pid" ? steady_number : 0;
  return std::clamp(content, std::max(least, width_of(column.title)), std::max(column.width, least));
}

bool is_known(const Column& column, const std::vector<TableRow>& rows) {
  const auto some = measured(rows);
  return std::any_of(some.begin(), some.end(),
                     [&](const TableRow& row) { return cell_text(column, row) != unknown_cell; });
}

bool has_other_kinds(const std::vector<TableRow>& rows) {
  return std::any_of(rows.begin(), rows.end(), [](const TableRow& row) {
    return row.site != nullptr && kind_of(*row.site->identity) != SiteKind::task;
  });
}

bool has_allocations(const std::vector<TableRow>& rows) {
  return std::any_of(rows.begin(), rows.end(),
                     [](const TableRow& row) { return row.site != nullptr && row.site->allocations.has_value(); });
}

class Placer {
 public:
  Placer(const std::vector<TableRow>& rows, int width) : rows_(rows), room_(width) {}

  // One column at its least width if there is room for it.
  void add(std::string_view id) {
    const Column* column = find_column(id);
    if (id == "confidence" && !has(*find_column("verdict"))) return;  // in what, else?
    const int width = is_flexible(id) ? least_width(id) : wanted_width(*column, rows_);
    add({ColumnKind::column, column, 0, width});
  }

  void add(PlacedColumn placed) {
    const int gap = placed_.empty() ? 0 : 1;
    if (placed.width + gap > room_) return;
    room_ -= placed.width + gap;
    placed_.push_back(placed);
  }

  void add_known(std::span<const std::string_view> ids) {
    for (const auto id : ids) {
      const Column* column = find_column(id);
      if (!has(*column) && is_known(*column, rows_)) add(id);
    }
  }

  // Gives what is left to the texts that are cut: first enough for most of them, then for all.
  void widen() {
    constexpr int most_names = 28;
    for (const int most : {most_names, INT_MAX}) {
      for (PlacedColumn& placed : placed_) {
        if (placed.kind != ColumnKind::column || !is_flexible(placed.column->id)) continue;
        const int wanted = std::min(wanted_width(*placed.column, rows_), most);
        const int more = std::clamp(wanted - placed.width, 0, room_);
        placed.width += more;
        room_ -= more;
      }
    }
  }

  // In the order of columns(), the last one up to the edge.
  std::vector<PlacedColumn> finish() {
    std::stable_sort(placed_.begin(), placed_.end(), [](const auto& a, const auto& b) { return order(a) < order(b); });
    int at = 0;
    for (PlacedColumn& placed : placed_) {
      placed.at = at;
      at += placed.width + 1;
    }
    if (!placed_.empty()) {
      PlacedColumn& last = placed_.back();
      if (last.kind == ColumnKind::command_line || (last.column != nullptr && last.column->align == Align::left)) {
        last.width += room_;
      }
    }
    return std::move(placed_);
  }

 private:
  [[nodiscard]] bool has(const Column& column) const {
    return std::any_of(placed_.begin(), placed_.end(),
                       [&](const PlacedColumn& placed) { return placed.column == &column; });
  }

  // The sparkline stands before the text that takes the rest of the line.
  static std::ptrdiff_t order(const PlacedColumn& placed) {
    const auto all = static_cast<std::ptrdiff_t>(columns().size());
    if (placed.kind == ColumnKind::command_line) return 2 * all;
    if (placed.kind == ColumnKind::sparkline) return 2 * all - 3;
    return 2 * (placed.column - columns().data());
  }

  const std::vector<TableRow>& rows_;
  int room_;
  std::vector<PlacedColumn> placed_;
};

}  // namespace

std::vector<PlacedColumn> place_columns(const std::vector<TableRow>& rows, bool by_process, int width) {
  Placer placer(rows, width);
  const auto add_all = [&](const auto& ids) {
    for (const auto id : ids) placer.add(id);
  };
  if (by_process) {
    add_all(process_first);
    placer.add({ColumnKind::command_line, nullptr, 0, command_line_width});
  } else {
    const bool allocations = has_allocations(rows);
    allocations ? add_all(allocating_first) : add_all(site_first);
    if (has_other_kinds(rows)) placer.add("kind");
    allocations ? add_all(allocating_then) : add_all(site_then);
  }
  if (width >= sparkline_from) {
    const int more = (width - sparkline_from) / 4;
    placer.add({ColumnKind::sparkline, nullptr, 0, std::min(least_sparkline + more, most_sparkline)});
  }
  placer.widen();
  placer.add_known(by_process ? std::span<const std::string_view>(process_more) : site_more);
  return placer.finish();
}

std::vector<Line> finding_lines(const Report& report, const UiState& ui, Size size) {
  const Finding* finding = worst_finding(report, ui);
  const int most = size.rows >= 20 ? 3 : size.rows >= 8 ? 2 : size.rows >= 6 ? 1 : 0;
  if (finding == nullptr || most == 0) return {};
  return banner_lines(report, *finding, size.columns, {most, size.rows >= 20});
}

Regions regions(const Report& report, const UiState& ui, Size size) {
  Regions regions;
  const int rows = size.rows;
  regions.summary_rows = rows >= 16  ? static_cast<int>(summary_lines(report, ui).size())
                         : rows >= 8 ? 2
                         : rows >= 4 ? 1
                                     : 0;
  regions.findings_row = regions.summary_rows;
  int next = regions.summary_rows;
  if (ui.page == Page::table) {
    regions.findings_rows = static_cast<int>(finding_lines(report, ui, size).size());
    next += regions.findings_rows;
  }
  if (rows >= 10) regions.status_row = next++;
  if (rows >= 3) regions.keys_row = rows - 1;
  regions.body_row = next;
  regions.body_rows = std::max(0, (regions.keys_row < 0 ? rows : regions.keys_row) - next);
  return regions;
}

int table_rows(const Regions& regions) { return std::max(0, regions.body_rows - 1); }

int first_visible(int first, int selected, int visible, int all) {
  if (visible <= 0) return selected;
  first = std::clamp(first, selected - visible + 1, selected);
  return std::clamp(first, 0, std::max(0, all - visible));
}

}  // namespace asyncleak
