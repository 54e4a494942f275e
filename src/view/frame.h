// A picture of the screen: a grid of character cells with colour roles.
//
// Made by view/screen, shown by view/terminal, compared as text in tests. Knows no terminal, no
// report and no colour: which attribute a role gets is terminal.cpp's business.
// (Not called Frame: that is a Python stack frame, sample/sample.h.)
#pragma once

#include <climits>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace asyncleak {

enum class Role : std::uint8_t {
  normal,
  header,     // values in the summary lines
  title,      // column titles
  sorted,     // the title of the column that sorts
  selected,   // the row under the cursor
  good,       // nothing is wrong
  warn,       // look at it
  bad,        // a leak, lost events
  dim,        // context: asyncio's own frames, units
  strong,     // the user's own frames, names
  key,        // a key's name in the bottom line
  sparkline,  // bars
};

struct Cell {
  char32_t character = U' ';  // 0: the second column of the wide character before it
  Role role = Role::normal;
  bool operator==(const Cell&) const = default;
};

struct Size {
  int columns = 80;
  int rows = 24;
};

class ScreenFrame {
 public:
  explicit ScreenFrame(Size size);

  [[nodiscard]] Size size() const { return size_; }
  [[nodiscard]] const Cell& at(int row, int column) const;

  // Writes UTF-8 TEXT at (ROW, COLUMN), at most MAX_WIDTH columns, clipped at the frame's edges.
  // Control characters become '?'. Returns the column after the last one written.
  int put(int row, int column, std::string_view text, Role role, int max_width = INT_MAX);

  // Gives every cell of ROW from COLUMN on the role, leaving the characters.
  void paint(int row, Role role, int column = 0);

 private:
  [[nodiscard]] Cell& cell(int row, int column);

  Size size_;
  std::vector<Cell> cells_;
};

// The characters only, one line a row, trailing blanks cut: what tests compare.
[[nodiscard]] std::string to_text(const ScreenFrame& frame);

}  // namespace asyncleak
