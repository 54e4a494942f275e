// One process in depth as text: its loops, its tasks as await trees, and what leaks without a task.
//
// Used by src/cli (`inspect`). Writes to the stream it is given; knows nothing of terminals but
// how they colour.
#pragma once

#include "sample/inspection.h"
#include "view/pages.h"

#include <ostream>
#include <vector>

namespace asyncleak {

struct InspectStyle {
  int width = 0;       // columns a line; 0: nothing is cut
  bool ascii = false;  // the branches of the tree
  bool color = false;
};

void write_inspection(std::ostream& out, const Inspection& inspection, const InspectStyle& style);

// The lines of the kinds that are no tasks, for those whose name is NAME; empty: all of a kind.
[[nodiscard]] std::vector<Line> group_lines(const std::vector<InspectedGroup>& groups, std::string_view name);
[[nodiscard]] std::vector<Line> transport_lines(const std::vector<InspectedTransport>& transports,
                                                std::string_view protocol);

}  // namespace asyncleak
