// Which rows the table has, in which order, and which one is selected.
//
// Used by view/screen to draw them and by view/keys to move among them. Pure; knows no geometry.
#pragma once

#include "view/columns.h"
#include "view/ui_state.h"

#include <string_view>
#include <vector>

namespace asyncleak {

// A site and its process, or a process alone. Points into the report.
struct TableRow {
  const SiteRow* site = nullptr;
  const ProcessRow* process = nullptr;  // nullptr: a site whose process the report lacks
};

// Filtered and sorted.
[[nodiscard]] std::vector<TableRow> visible_rows(const Report& report, const UiState& ui);

// NEEDLE in the coroutine's name, the process's name, pid or command line, or a file of the
// creation stack, without regard to (ASCII) case.
[[nodiscard]] bool matches(const TableRow& row, std::string_view needle);

// The selected row's index; where it is gone, the nearest to where it was. 0 without rows.
[[nodiscard]] int selected_index(const std::vector<TableRow>& rows, const UiState& ui);
void select_row(UiState& ui, const std::vector<TableRow>& rows, int index);  // clamps

// The site of the drill-down; nullptr when the report no longer has it.
[[nodiscard]] const SiteRow* selected_site(const Report& report, const UiState& ui);
// The process of the selected row; nullptr when the report no longer has it.
[[nodiscard]] const ProcessRow* selected_process(const Report& report, const UiState& ui);

// The columns the sort page and < > offer: those that rows of this table have.
[[nodiscard]] std::vector<const Column*> sort_columns(bool by_process);

// The one that sorts: UiState::sort, or the default where these rows do not have it.
[[nodiscard]] const Column& sort_column(const UiState& ui);

// What a cell shows.
[[nodiscard]] std::string cell_text(const Column& column, const TableRow& row);

}  // namespace asyncleak
