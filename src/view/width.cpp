#include "view/width.h"

#include "util/text.h"

#include <algorithm>
#include <clocale>
#include <cstddef>
#include <cwchar>
#include <utility>

namespace asyncleak {
namespace {

constexpr std::string_view ellipsis = "...";

// wcwidth() answers for the thread's locale; in "C" it knows ASCII only. C.UTF-8 is part of
// Debian's libc-bin and built into glibc from 2.35 on.
class Utf8Locale {
 public:
  Utf8Locale() : previous_(utf8() == nullptr ? nullptr : uselocale(utf8())) {}
  Utf8Locale(const Utf8Locale&) = delete;
  Utf8Locale& operator=(const Utf8Locale&) = delete;
  ~Utf8Locale() {
    if (previous_ != nullptr) uselocale(previous_);
  }

 private:
  static locale_t utf8() {
    static const locale_t locale = newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
    return locale;
  }
  locale_t previous_;
};

}  // namespace

std::u32string decode_utf8(std::string_view text) {
  std::u32string characters;
  for (const char byte : to_printable(text)) {
    const auto bits = static_cast<unsigned char>(byte);
    if (bits < 0x80) {
      characters += static_cast<char32_t>(bits);
    } else if (bits >= 0xC0) {  // a lead byte: 2 to 4 bytes long, as many ones in front
      characters += static_cast<char32_t>(bits & (bits < 0xE0 ? 0x1FU : bits < 0xF0 ? 0x0FU : 0x07U));
    } else {
      characters.back() = characters.back() << 6U | (bits & 0x3FU);
    }
  }
  return characters;
}

void append_utf8(std::string& text, char32_t character) {
  const auto tail = [&](unsigned shift) { text += static_cast<char>(0x80U | (character >> shift & 0x3FU)); };
  if (character < 0x80) {
    text += static_cast<char>(character);
  } else if (character < 0x800) {
    text += static_cast<char>(0xC0U | character >> 6U);
    tail(0);
  } else if (character < 0x10000) {
    text += static_cast<char>(0xE0U | character >> 12U);
    tail(6), tail(0);
  } else {
    text += static_cast<char>(0xF0U | character >> 18U);
    tail(12), tail(6), tail(0);
  }
}

int width_of(char32_t character) {
  if (character < 0x7F) return 1;
  const Utf8Locale locale;
  const int width = wcwidth(static_cast<wchar_t>(character));
  return width < 0 ? 1 : width;  // not assigned: terminals draw a box, one column wide
}

int width_of(std::string_view text) {
  const auto is_ascii = [](char byte) { return static_cast<unsigned char>(byte) < 0x80; };
  if (std::all_of(text.begin(), text.end(), is_ascii)) return static_cast<int>(text.size());  // nearly always
  int width = 0;
  for (const char32_t character : decode_utf8(text)) width += width_of(character);
  return width;
}

std::string cut_right(std::string_view text, int width) {
  if (width_of(text) <= width) return std::string(text);
  const bool room = width > static_cast<int>(ellipsis.size());
  const int keep = room ? width - static_cast<int>(ellipsis.size()) : width;
  std::string cut;
  int used = 0;
  for (const char32_t character : decode_utf8(text)) {
    used += width_of(character);
    if (used > keep) break;
    append_utf8(cut, character);
  }
  return room ? cut.append(ellipsis) : cut;
}

std::string cut_left(std::string_view text, int width) {
  if (width_of(text) <= width) return std::string(text);
  const bool room = width > static_cast<int>(ellipsis.size());
  const int keep = room ? width - static_cast<int>(ellipsis.size()) : width;
  const std::u32string characters = decode_utf8(text);
  std::size_t first = characters.size();
  for (int used = 0; first > 0; --first) {
    used += width_of(characters[first - 1]);
    if (used > keep) break;
  }
  std::string cut(room ? ellipsis : "");
  for (; first < characters.size(); ++first) append_utf8(cut, characters[first]);
  return cut;
}

std::string align_left(std::string_view text, int width) {
  std::string cell = cut_right(text, width);
  return cell.append(static_cast<std::size_t>(std::max(0, width - width_of(cell))), ' ');
}

std::string align_right(std::string_view text, int width) {
  std::string cell = cut_left(text, width);
  return cell.insert(0, static_cast<std::size_t>(std::max(0, width - width_of(cell))), ' ');
}

std::vector<std::string> wrap(std::string_view text, int width, int max_lines) {
  std::vector<std::string> lines;
  if (width <= 0 || max_lines <= 0) return lines;
  std::string line;
  while (!text.empty()) {
    const std::size_t blank = text.find(' ');
    const std::string_view word = text.substr(0, blank);
    const bool first = line.empty();
    const bool fits = first || width_of(line) + 1 + width_of(word) <= width;
    if (!fits && static_cast<int>(lines.size()) + 1 == max_lines) {
      line.append(" ").append(text);
      break;
    }
    if (!fits) lines.push_back(std::exchange(line, {}));
    if (!line.empty()) line += ' ';
    line += word;
    text.remove_prefix(blank == std::string_view::npos ? text.size() : blank + 1);
  }
  if (!line.empty()) lines.push_back(std::move(line));
  for (auto& each : lines) each = cut_right(each, width);
  return lines;
}

}  // namespace asyncleak
