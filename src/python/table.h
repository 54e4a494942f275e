// The table of CPython lines: where fields are (layouts.inc), how their own debug offsets are laid out
// (debug_offsets.inc), and how the two are laid over each other.
//
// Used by interpreter.cpp and the tests. Data and arithmetic only: knows no file and no process.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "python/interpreter.h"

namespace asyncleak::python {

// tp_basicsize of static types: what a row is recognised by.
struct BasicSizes {
  std::uint32_t code, coro, tuple, unicode, frame;
  bool operator==(const BasicSizes&) const = default;
};

struct LayoutRow {
  int minor;
  bool free_threaded;
  BasicSizes sizes;
  al_layout layout;
};

[[nodiscard]] std::span<const LayoutRow> layout_rows();
[[nodiscard]] const LayoutRow* find_row(int minor, bool free_threaded);
[[nodiscard]] std::string row_name(const LayoutRow& row);  // "3.11", "3.14t"
[[nodiscard]] std::string supported_versions();            // "3.8 to 3.15"

// A layout field = words[first] + words[second] (unless 0) + add, in 64-bit words of _Py_DebugOffsets.
struct DebugField {
  std::string_view name;
  __u16 al_layout::*member;
  std::uint16_t first, second, add;
};

[[nodiscard]] std::span<const DebugField> debug_fields(int minor);  // empty: not known

// The head of _Py_DebugOffsets, equal in 3.13 to 3.15: cookie, version, free_threaded.
constexpr std::string_view debug_cookie = "xdebugpy";
constexpr std::size_t debug_version_word = 1;
constexpr std::size_t debug_free_threaded_word = 2;

struct DebugComparison {
  al_layout layout;  // the row's, with everything the debug offsets cover replaced
  int equal = 0;
  std::vector<std::string> differences;  // "thread_id 176, row has 152"
};

// How many words debug_fields(minor) reads.
[[nodiscard]] std::size_t debug_word_count(int minor);

// Error: an offset outside the words given, or too large to be one.
[[nodiscard]] Result<DebugComparison> apply_debug_offsets(const LayoutRow& row, std::span<const std::uint64_t> words);

// frame_first and frame_span from the fields they must cover. An error when one read cannot.
[[nodiscard]] Result<void> set_frame_window(al_layout& layout);

}  // namespace asyncleak::python
