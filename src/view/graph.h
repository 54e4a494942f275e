// Numbers as bars: sparklines, history graphs, histogram bars.
//
// Used by the pages of view/screen. Pure text; knows nothing of tasks.
#pragma once

#include <string>
#include <vector>

namespace asyncleak {

// VALUES, oldest first, as WIDTH x ROWS characters from 0 at the bottom to their maximum at the
// top; the newest is at the right. Blocks of eighths, or " .:-=+*#" in ASCII. A value above 0 is
// never blank in the bottom row.
[[nodiscard]] std::vector<std::string> graph(const std::vector<double>& values, int width, int rows, bool ascii);

// A horizontal bar of at most WIDTH columns for VALUE of MAXIMUM; at least one above 0.
[[nodiscard]] std::string bar(double value, double maximum, int width, bool ascii);

}  // namespace asyncleak
