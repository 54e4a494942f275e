// What stands on the parts of the live view, as lines of coloured text.
//
// Used by view/screen, which puts the lines into the frame, and by view/keys, which scrolls them.
// Pure; knows nothing of where the lines go.
#pragma once

#include "sample/inspection.h"
#include "view/frame.h"
#include "view/ui_state.h"

#include <string>
#include <vector>

namespace asyncleak {

struct Span {
  std::string text;
  Role role = Role::normal;
};
using Line = std::vector<Span>;

// Host, totals, trust, cost of the probes; that of counting allocations where that is on: most important first.
[[nodiscard]] std::vector<Line> summary_lines(const Report& report, const UiState& ui);

// A site: who it is, its numbers, findings, ages, history, creation stack. Fills SIZE, may be longer.
[[nodiscard]] std::vector<Line> site_lines(const Report& report, const UiState& ui, Size size);

// The tasks of a site one by one, from the last look at its process; nullptr: none yet.
[[nodiscard]] std::vector<Line> tasks_lines(const Report& report, const UiState& ui, const Inspection* inspection,
                                            Size size);

// A process: its counts, census, loops, memory, findings, history.
[[nodiscard]] std::vector<Line> process_lines(const Report& report, const UiState& ui, Size size);
// "process 812 uvicorn, Python 3.11.2, shop.service"
[[nodiscard]] std::string process_title(const ProcessSample& process);

// Every finding with its evidence and hint, worst first; see view/findings_list.
[[nodiscard]] std::vector<Line> findings_lines(const Report& report, const UiState& ui, Size size);

[[nodiscard]] std::vector<Line> help_lines();
[[nodiscard]] std::vector<Line> sort_lines(const UiState& ui);

// Instead of a table without rows: why there are none.
[[nodiscard]] std::vector<Line> empty_lines(const Report& report, const UiState& ui);

// The lines of UiState::page; none for the table.
[[nodiscard]] std::vector<Line> page_lines(const Report& report, const UiState& ui, const Inspection* inspection,
                                           Size size);

}  // namespace asyncleak
