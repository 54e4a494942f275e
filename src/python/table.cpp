#include "python/table.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace asyncleak::python {
namespace {

struct DebugRow {
  int minor;
  DebugField fields[32];  // ends with the first one without a name
};

// The addresses at the head of al_layout belong to an image, not to a row.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
constexpr LayoutRow rows[] = {
#include "python/layouts.inc"
};
#pragma GCC diagnostic pop

constexpr DebugRow debug_rows[] = {
#include "python/debug_offsets.inc"
};

}  // namespace

std::span<const LayoutRow> layout_rows() { return rows; }

const LayoutRow* find_row(int minor, bool free_threaded) {
  const auto* row = std::ranges::find_if(
      rows, [&](const LayoutRow& each) { return each.minor == minor && each.free_threaded == free_threaded; });
  return row == std::end(rows) ? nullptr : row;
}

std::string row_name(const LayoutRow& row) { return "3." + std::to_string(row.minor) + (row.free_threaded ? "t" : ""); }

std::string supported_versions() {
  const auto [first, last] = std::ranges::minmax_element(rows, {}, &LayoutRow::minor);
  return "3." + std::to_string(first->minor) + " to 3." + std::to_string(last->minor);
}

std::span<const DebugField> debug_fields(int minor) {
  const auto* row = std::ranges::find(debug_rows, minor, &DebugRow::minor);
  if (row == std::end(debug_rows)) return {};
  const auto* end = std::ranges::find_if(row->fields, [](const DebugField& field) { return field.name.empty(); });
  return {std::begin(row->fields), end};
}

std::size_t debug_word_count(int minor) {
  std::size_t count = 0;
  for (const DebugField& field : debug_fields(minor)) {
    count = std::max<std::size_t>({count, field.first + 1U, field.second + 1U});
  }
  return count;
}

Result<DebugComparison> apply_debug_offsets(const LayoutRow& row, std::span<const std::uint64_t> words) {
  DebugComparison result{row.layout, 0, {}};
  for (const DebugField& field : debug_fields(row.minor)) {
    if (std::max(field.first, field.second) >= words.size()) return fail("the debug offsets end early");
    const std::uint64_t value = words[field.first] + (field.second != 0 ? words[field.second] : 0) + field.add;
    if (value >= AL_ABSENT) {
      return fail("the debug offset of " + std::string(field.name) + " is " + std::to_string(value) +
                  ", which no field can have");
    }
    const auto expected = std::exchange(result.layout.*field.member, static_cast<__u16>(value));
    if (value == expected) {
      ++result.equal;
    } else {
      result.differences.push_back(std::string(field.name) + " " + std::to_string(value) + ", row has " +
                                   std::to_string(expected));
    }
  }
  if (auto window = set_frame_window(result.layout); !window) return fail(window.error());
  return result;
}

Result<void> set_frame_window(al_layout& layout) {
  constexpr unsigned pointer = 8;
  const unsigned instr_size = (layout.flags & AL_INSTR_IS_INDEX) != 0 ? 4 : pointer;
  const unsigned first = std::min({layout.frame_back, layout.frame_code, layout.frame_instr}) / pointer * pointer;
  unsigned end = std::max({layout.frame_back + pointer, layout.frame_code + pointer, layout.frame_instr + instr_size});
  if (layout.frame_owner != AL_ABSENT) end = std::max(end, layout.frame_owner + 1U);
  const unsigned span = (end - first + pointer - 1) / pointer * pointer;
  if (span > pointer * AL_FRAME_WORDS) {
    return fail("the fields of a frame are " + std::to_string(span) + " bytes apart, more than one read covers");
  }
  layout.frame_first = static_cast<__u16>(first);
  layout.frame_span = static_cast<__u16>(span);
  return {};
}

}  // namespace asyncleak::python
