#include "model/memory_growth.h"

#include "util/signed_difference.h"
#include "util/text.h"

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace asyncleak {
namespace {

struct Growth {
  std::string_view where;
  std::string_view meaning;
  std::int64_t bytes = 0;
};

bool arenas_known(const MemorySample& memory) { return memory.arenas_bytes && memory.small_objects_bytes; }

// Arenas are resident memory, blocks are what is in use of it: what is left is free, or swapped out.
std::uint64_t free_in_arenas(const MemorySample& memory) {
  return *memory.arenas_bytes - std::min(*memory.arenas_bytes, *memory.small_objects_bytes);
}

std::vector<Growth> growth_of_each(const MemorySample& before, const MemorySample& now) {
  std::vector<Growth> all = {
      {"the C library's heap", "no small objects: blocks over 512 bytes, extension modules, or fragmentation",
       signed_difference(now.c_heap_bytes, before.c_heap_bytes)},
      {"stacks", "more threads, or deeper ones", signed_difference(now.stacks_bytes, before.stacks_bytes)},
      {"mapped files", "files and images, no objects", signed_difference(now.files_bytes, before.files_bytes)},
      {"shared memory", "shared memory, no objects", signed_difference(now.shared_bytes, before.shared_bytes)}};
  const std::int64_t mapped = signed_difference(now.mapped_bytes, before.mapped_bytes);
  if (!arenas_known(now) || !arenas_known(before)) {
    // Where one of the two does not know them they are in the other's anonymous memory.
    const std::int64_t arenas = signed_difference(now.arenas_bytes.value_or(0), before.arenas_bytes.value_or(0));
    all.push_back({"anonymous memory", "objects cannot be told from other memory there", mapped + arenas});
    return all;
  }
  all.push_back(
      {"large anonymous blocks", "no small objects: large buffers, or an allocator of an extension's own", mapped});
  // The two add up to what the arenas grew by, also where blocks are swapped out.
  const std::int64_t slack = signed_difference(free_in_arenas(now), free_in_arenas(before));
  all.push_back({"Python's small objects", "the program keeps more objects",
                 signed_difference(*now.arenas_bytes, *before.arenas_bytes) - slack});
  all.push_back({"free blocks of Python's arenas", "fragmentation: few objects hold many pages", slack});
  return all;
}

}  // namespace

std::string memory_growth(const MemorySample& baseline, const MemorySample& now) {
  std::vector<Growth> parts = growth_of_each(baseline, now);
  std::int64_t total = 0;
  for (const Growth& part : parts) total += part.bytes;
  std::ranges::stable_sort(parts, std::ranges::greater{}, &Growth::bytes);
  if (total <= 0) return {};
  std::string text = fmt::format("+{}", format_bytes(static_cast<std::uint64_t>(total)));
  std::string_view separator = ": ";
  for (const Growth& part : parts) {
    // A part below a fiftieth tells nobody anything.
    if (part.bytes * 50 < total) break;
    text += fmt::format("{}{} in {}", separator, format_bytes(static_cast<std::uint64_t>(part.bytes)), part.where);
    separator = ", ";
  }
  return text + fmt::format(" ({})", parts.front().meaning);
}

}  // namespace asyncleak
