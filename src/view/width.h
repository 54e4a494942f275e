// UTF-8 text measured in terminal columns: cut, pad, wrap.
//
// Used by view/frame and the pages of the screen. Does not depend on the locale the program runs
// in, so that pictures are the same everywhere.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace asyncleak {

// What to_printable() leaves: nothing that reaches a terminal as an escape sequence.
[[nodiscard]] std::u32string decode_utf8(std::string_view text);
void append_utf8(std::string& text, char32_t character);

// Terminal columns: 2 for East Asian wide characters, 0 for combining marks.
[[nodiscard]] int width_of(char32_t character);
[[nodiscard]] int width_of(std::string_view text);

// At most WIDTH columns. cut_left keeps the tail ("...tail"): the end of a qualified name or a
// path tells more than its beginning; cut_right keeps the head.
[[nodiscard]] std::string cut_left(std::string_view text, int width);
[[nodiscard]] std::string cut_right(std::string_view text, int width);

// Exactly WIDTH columns, cut where too long. align_right cuts at the left.
[[nodiscard]] std::string align_left(std::string_view text, int width);
[[nodiscard]] std::string align_right(std::string_view text, int width);

// Broken at blanks into at most MAX_LINES lines of WIDTH columns; the last one is cut if more is left.
[[nodiscard]] std::vector<std::string> wrap(std::string_view text, int width, int max_lines);

}  // namespace asyncleak
