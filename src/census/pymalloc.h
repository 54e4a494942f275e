// What pymalloc has handed out: blocks and bytes by size, read from the headers of its pools.
//
// Used by the sample and the findings about memory. One small read a pool; the blocks themselves are not looked at.
// Exact for a program at rest; while it runs, each pool is as of the moment it was read. With debug hooks
// (PYTHONMALLOC=debug) a block is as large as the hooks make it.
#pragma once

#include "census/heap.h"
#include "census/memory_map.h"
#include "util/result.h"

#include <cstdint>
#include <vector>

namespace asyncleak::census {

struct SizeClass {
  std::uint32_t block_bytes = 0;
  std::uint64_t blocks = 0;  // in use
  std::uint64_t pools = 0;   // with at least one of them
  bool operator==(const SizeClass&) const = default;
};

struct PymallocUse {
  std::vector<SizeClass> classes;  // those in use, smallest first
  std::uint64_t blocks = 0, used_bytes = 0;
  std::uint64_t free_bytes = 0;    // in pools of a class, yet in no block: what fragmentation costs
  std::vector<Range> arenas;       // in order
  std::uint64_t arena_bytes = 0;   // mapped
  std::uint64_t pools_missed = 0;  // freed or changed while they were read: not counted
};

// Where the table of arenas is when it is static variables (<= 3.11): addresses in the process.
struct ArenaVariables {
  std::uint64_t arenas = 0, max_arenas = 0;
};

// HEAP's memory must be the process itself, not a copy: torn reads are told by reading again.
// FOUND: found once per process, kept by the caller; where the interpreter state says it (3.12+) it stays empty.
// An error is the reason: "pymalloc is not used: ...", or what could not be read.
[[nodiscard]] Result<PymallocUse> read_pymalloc(const Heap& heap, ArenaVariables& found);

}  // namespace asyncleak::census
