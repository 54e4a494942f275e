// Two moments side by side, as a table for a person and as one line of JSON.
//
// Used by src/cli (diff). Knows model/difference.h, not where the moments come from.
#pragma once

#include "model/difference.h"

#include <cstddef>
#include <string>
#include <vector>

namespace asyncleak {

struct MomentName {
  std::string file;
  std::vector<std::string> labels;
  std::int64_t wall_ns = 0;
  double watched_s = 0;
};

struct NamedDifference {
  MomentName before, after;
  Difference difference;
};

struct DiffStyle {
  std::size_t limit = 0;  // rows; 0: all that changed
  std::size_t width = 0;  // columns of the terminal; 0: it is none, lines are whole
  bool color = false;
};
[[nodiscard]] std::string diff_text(const NamedDifference& diff, const DiffStyle& style);

// Without the final newline; schema "asyncleak-diff/1". LIMIT: rows; 0: all.
[[nodiscard]] std::string diff_json(const NamedDifference& diff, std::size_t limit);

}  // namespace asyncleak
