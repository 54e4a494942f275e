#include "view/frame.h"

#include "view/width.h"

#include <algorithm>
#include <utility>

namespace asyncleak {

ScreenFrame::ScreenFrame(Size size) : size_{std::max(size.columns, 0), std::max(size.rows, 0)} {
  cells_.resize(static_cast<std::size_t>(size_.columns) * static_cast<std::size_t>(size_.rows));
}

const Cell& ScreenFrame::at(int row, int column) const {
  return cells_.at(static_cast<std::size_t>(row) * static_cast<std::size_t>(size_.columns) +
                   static_cast<std::size_t>(column));
}

Cell& ScreenFrame::cell(int row, int column) { return const_cast<Cell&>(std::as_const(*this).at(row, column)); }

int ScreenFrame::put(int row, int column, std::string_view text, Role role, int max_width) {
  if (row < 0 || row >= size_.rows || column < 0) return column;
  const int end = max_width < size_.columns - column ? column + max_width : size_.columns;
  for (const char32_t character : decode_utf8(text)) {
    const int width = width_of(character);
    if (width == 0) continue;  // a cell holds one character: combining marks are left out
    if (column + width > end) break;
    cell(row, column) = {character, role};
    if (width == 2) cell(row, column + 1) = {0, role};
    column += width;
  }
  return column;
}

void ScreenFrame::paint(int row, Role role, int column) {
  if (row < 0 || row >= size_.rows) return;
  for (; column < size_.columns; ++column) cell(row, column).role = role;
}

std::string to_text(const ScreenFrame& frame) {
  std::string text;
  for (int row = 0; row < frame.size().rows; ++row) {
    std::string line;
    for (int column = 0; column < frame.size().columns; ++column) {
      const char32_t character = frame.at(row, column).character;
      if (character != 0) append_utf8(line, character);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  }
  return text;
}

}  // namespace asyncleak
