// Where things go on a screen of a given size: rows of the parts, columns of the table.
//
// Used by view/screen to draw and by view/keys for the page size. Pure.
#pragma once

#include "view/frame.h"
#include "view/pages.h"
#include "view/rows.h"

#include <vector>

namespace asyncleak {

// Rows from the top: summary, findings, status, titles, table or page, keys. Small screens lose
// the least important parts first; the table and the worst finding stay.
struct Regions {
  int summary_rows = 0;
  int findings_row = 0, findings_rows = 0;
  int status_row = -1;              // -1: none
  int body_row = 0, body_rows = 0;  // the table with its titles, or a page
  int keys_row = -1;
};
[[nodiscard]] Regions regions(const Report& report, const UiState& ui, Size size);
[[nodiscard]] int table_rows(const Regions& regions);  // without the titles

// The first row shown so that SELECTED is visible, moving no more than needed.
[[nodiscard]] int first_visible(int first, int selected, int visible, int all);

// A column of the table, or one that only a screen has.
enum class ColumnKind { column, sparkline, command_line };
struct PlacedColumn {
  ColumnKind kind = ColumnKind::column;
  const Column* column = nullptr;  // of ColumnKind::column
  int at = 0, width = 0;
};
// What fits in WIDTH, by importance, in the order of columns().
[[nodiscard]] std::vector<PlacedColumn> place_columns(const std::vector<TableRow>& rows, bool by_process, int width);

// The worst finding in words, wrapped, with its hint; of the one process when the user looks at one.
[[nodiscard]] std::vector<Line> finding_lines(const Report& report, const UiState& ui, Size size);

}  // namespace asyncleak
