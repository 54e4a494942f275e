// The findings page: every finding that stands, worst first, and which of them is selected.
//
// Drawn by view/screen through page_lines(), moved about in by view/keys. Pure.
#pragma once

#include "view/pages.h"

#include <vector>

namespace asyncleak {

// Those of the one process when the user looks at one.
[[nodiscard]] std::vector<const Finding*> shown_findings(const Report& report, const UiState& ui);
[[nodiscard]] const Finding* worst_finding(const Report& report, const UiState& ui);  // nullptr: none stands

// Moves the selection by so many findings and scrolls as far as it needs. SIZE is that of the page.
void move_finding(UiState& ui, const Report& report, Size size, int findings);
// Makes what the selected finding is about the selection, and says which page shows it: its site; else its process;
// the table where the report has neither.
[[nodiscard]] Page select_subject(UiState& ui, const Report& report);

}  // namespace asyncleak
