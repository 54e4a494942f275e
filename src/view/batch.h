// One report as plain text, like a frame of `top -b`: header, findings, table, processes, warnings.
//
// Used by src/cli when stdout is no terminal or with --batch. Writes to the stream it is
// given; knows nothing of terminals.
#pragma once

#include "model/report.h"
#include "view/columns.h"

#include <cstddef>
#include <ostream>
#include <string>

namespace asyncleak {

struct TableOptions {
  std::string sort{default_sort};  // a column id
  bool reversed = false;
  std::size_t limit = 0;  // site rows; 0: all
  std::size_t width = 0;  // characters a line; 0: nothing is cut
};

void write_batch(std::ostream& out, const Report& report, const TableOptions& options);

}  // namespace asyncleak
