// What the allocator probes counted: bytes a task allocated and did not free (--memory malloc, all).
//
// Part of Sample. Passive values, named as in the JSON. What a task holds is another matter: census_sample.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace asyncleak {

// Which allocations are counted.
enum class MemoryMode {
  objects,  // none: asyncio's own objects are, by the task probes
  malloc,   // every block asked of the C library
  all,      // and Python's small blocks
};
[[nodiscard]] constexpr std::string_view name_of(MemoryMode mode) {
  return mode == MemoryMode::objects ? "objects" : mode == MemoryMode::malloc ? "malloc" : "all";
}

// BYTES not freed that were allocated in [born_from_ns, born_to_ns), CLOCK_MONOTONIC.
struct ByteCohort {
  std::int64_t born_from_ns = 0;  // 0: since we watch
  std::int64_t born_to_ns = 0;
  std::uint64_t bytes = 0;
};

// Of a site, what one line of Python allocated (--memory-lines).
struct AllocationLine {
  std::string function, file;  // qualified name; "?" and empty where they could not be read
  std::optional<int> line;
  std::uint64_t bytes = 0, blocks = 0;  // not freed
  std::uint64_t allocated_bytes = 0;    // ever
};

// Sizes are those asked for, not what the allocator makes of them.
struct SiteAllocations {
  std::uint64_t bytes = 0, blocks = 0;  // not freed
  std::uint64_t allocated_bytes = 0, allocated_blocks = 0;
  std::uint64_t freed_bytes = 0, freed_blocks = 0;
  std::uint64_t untracked_bytes = 0, untracked_blocks = 0;  // allocated when there was no room: their end is not seen
  std::vector<ByteCohort> cohorts;                          // disjoint, oldest first, empty ones left out; sum = bytes
  std::vector<AllocationLine> lines;                        // most bytes first; empty without --memory-lines
};

// Of a process while its allocations are counted, or why they are not.
struct ProcessAllocations {
  MemoryMode mode = MemoryMode::objects;  // that is in force
  std::string allocator;                  // whose functions are probed: "glibc (/usr/lib/.../libc.so.6)"
  std::int64_t since_ns = 0;              // CLOCK_MONOTONIC; what was allocated earlier is not known
  std::uint64_t hits_total = 0;
  double cost_ns_per_hit = 0;          // measured, the trap included
  std::uint64_t untracked_blocks = 0;  // more than 0: every figure is "at least"
  bool lines = false;
  std::string trouble;  // why the mode asked for is not the one in force; empty: it is
};

}  // namespace asyncleak
