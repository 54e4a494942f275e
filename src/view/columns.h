// Every column, described once: what it is called on screen, in `--sort`, in JSON and in the
// metrics, how it is formatted and sorted.
//
// Used by batch and screen (titles, cells, order), by src/cli (`--sort` choices) and by the
// man page's test. Knows nothing of terminals, probes or interpreters.
#pragma once

#include "model/report.h"
#include "model/user_frame.h"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace asyncleak {

enum class Align { left, right };

// What a row is sorted by: text columns use text first, the others number alone. Views point
// into the report.
struct SortValue {
  bool known = true;  // unknown values come last, whatever the direction
  double number = 0;
  std::string_view text = {};
};

struct Column {
  std::string_view id;     // as `--sort` takes it
  std::string_view title;  // head of the table: "OUT", "NEW/s"
  std::string_view unit;   // "tasks", "tasks/s", "tasks/min", "s", "bytes"; empty: text
  int width;               // cells it wants on a terminal; text may be longer
  Align align;
  bool largest_first;       // natural direction of the sort
  std::string_view json;    // field in the contract (DESIGN.md section 2)
  std::string_view metric;  // Prometheus metric; empty: none
  std::string_view help;    // one sentence, for `?` and the man page
  // A cell of a site row. PROCESS is the row's process, nullptr when the report lacks it.
  std::string (*site_text)(const SiteRow& row, const ProcessRow* process);
  SortValue (*site_sort)(const SiteRow& row, const ProcessRow* process);
  // The same of a process row; nullptr where a process has no such value.
  std::string (*process_text)(const ProcessRow& row);
  SortValue (*process_sort)(const ProcessRow& row);
};

// What stands in a cell whose value is not known.
inline constexpr std::string_view unknown_cell = "-";
inline constexpr std::string_view default_sort = "growth";

// In the order a wide table shows them.
[[nodiscard]] std::span<const Column> columns();
[[nodiscard]] const Column* find_column(std::string_view id);  // nullptr: no such column
// False for columns about allocations where those of no process are counted.
[[nodiscard]] bool has_content(const Column& column, const Report& report);

// The process a site belongs to; relies on Report::processes being ordered by pid.
[[nodiscard]] const ProcessRow* process_of(const Report& report, const SiteRow& row);

// Rows in the column's natural order, REVERSED on demand; ties by site id (pid), so that rows
// do not jump. "growth" puts the worse verdict first. An unknown id, or one that processes do not
// have, sorts by the default.
[[nodiscard]] std::vector<const SiteRow*> sort_rows(const Report& report, std::string_view column_id,
                                                    bool reversed = false);
[[nodiscard]] std::vector<const ProcessRow*> sort_processes(const Report& report, std::string_view column_id,
                                                            bool reversed = false);

[[nodiscard]] std::string format_confidence(double confidence);  // 0 to 1; "97%", rounded down: 100% is certain

// "/srv/app.py:31 handler" / "app.py:31 handler"; the line is left out when not known.
[[nodiscard]] std::string format_frame(const Frame& frame);
[[nodiscard]] std::string format_frame_short(const Frame& frame);
// Of what no probe sees, so that its creator is not known: "def /srv/app.py:9". Empty for the others.
[[nodiscard]] std::string definition_of(const SiteRow& row, bool brief);

}  // namespace asyncleak
