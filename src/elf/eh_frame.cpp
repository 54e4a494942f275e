#include "elf/eh_frame.h"

#include "elf/reads.h"

#include <algorithm>

namespace asyncleak::elf {
namespace {

// Linux Standard Base core 5.0, section 10.6.2. GNU ld, gold and lld all write exactly these
// encodings: pc-relative sdata4, udata4, and a table of sdata4 relative to the header.
constexpr std::uint32_t usual_header = 0x3b031b01;
constexpr std::uint64_t table_offset = 12;
constexpr std::uint64_t table_entry_size = 8;

std::uint64_t relative(std::uint64_t base, std::int64_t offset) { return base + static_cast<std::uint64_t>(offset); }

// How the start and the length of the function are written is said by the FDE's CIE; the start
// being known from the table, the encoding that yields it is the right one.
std::optional<std::uint64_t> function_size(const Image& image, std::uint64_t fde, std::uint64_t start) {
  constexpr std::uint64_t pc_begin = 8;  // after the length and the CIE pointer
  const auto bytes = up_to(image, fde, 24);
  const auto narrow = read_at<std::int32_t>(bytes, pc_begin);
  if (!narrow) return std::nullopt;
  if (relative(fde + pc_begin, *narrow) == start || static_cast<std::uint32_t>(*narrow) == start) {
    return read_at<std::uint32_t>(bytes, pc_begin + 4);
  }
  const auto wide = read_at<std::int64_t>(bytes, pc_begin);
  if (wide && (relative(fde + pc_begin, *wide) == start || static_cast<std::uint64_t>(*wide) == start)) {
    return read_at<std::uint64_t>(bytes, pc_begin + 8);
  }
  return std::nullopt;
}

}  // namespace

std::optional<Range> function_by_eh_frame(const Image& image, std::uint64_t header, std::uint64_t vaddr) {
  const auto bytes = rest_of_segment(image, header);
  const auto encodings = read_at<std::uint32_t>(bytes, 0);
  const auto claimed = read_at<std::uint32_t>(bytes, 8);
  if (!encodings || *encodings != usual_header || !claimed) return std::nullopt;
  const std::uint64_t room = bytes.size() < table_offset ? 0 : (bytes.size() - table_offset) / table_entry_size;
  const auto start_of = [&](std::uint64_t index) {
    return relative(header, read_at<std::int32_t>(bytes, table_offset + index * table_entry_size).value_or(0));
  };
  // The last entry that starts at or before vaddr lies just below `high`.
  std::uint64_t low = 0;
  std::uint64_t high = std::min<std::uint64_t>(*claimed, room);
  while (low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    if (start_of(middle) <= vaddr) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  if (high == 0) return std::nullopt;
  const std::uint64_t start = start_of(high - 1);
  const auto fde = read_at<std::int32_t>(bytes, table_offset + (high - 1) * table_entry_size + 4);
  if (!fde) return std::nullopt;
  const auto size = function_size(image, relative(header, *fde), start);
  // Modulo 2^64: a size that wraps around covers nothing.
  if (!size || start + *size < start || !Range{start, start + *size}.contains(vaddr)) return std::nullopt;
  return Range{start, start + *size};
}

}  // namespace asyncleak::elf
