// Which memory of a process can hold Python objects, and what its resident memory is made of.
//
// Used by the heap scan (heap_ranges) and by the sample (memory_classes). Reads /proc/PID/smaps and pagemap only;
// the parts that judge text are pure.
#pragma once

#include "util/result.h"

#include <sys/types.h>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace asyncleak::census {

struct Range {
  std::uint64_t start = 0, end = 0;
  [[nodiscard]] std::uint64_t bytes() const { return end - start; }
  bool operator==(const Range&) const = default;
};

// Private, writable, anonymous memory: the C library's heaps, pymalloc's arenas, everything mapped. Not: the first
// thread's stack, the data of images.
struct HeapRanges {
  std::vector<Range> resident;       // whole pages, in order, disjoint and not touching
  std::uint64_t resident_bytes = 0;  // of those
  std::uint64_t swapped_bytes = 0;   // left out, since reading would bring them back: what is found is "at least"
  bool cut = false;                  // more address space than is looked at: "at least" as well
};
[[nodiscard]] Result<HeapRanges> heap_ranges(pid_t pid);

// The writable data of the image which ADDRESS lies in, .bss included; at most a few MiB of it.
[[nodiscard]] Result<Range> image_data(pid_t pid, std::uint64_t address);

// Resident bytes by what they are used for; the sum is the process's RSS.
struct MemoryClasses {
  std::uint64_t arenas = 0;   // inside the ranges the caller knows as pymalloc's
  std::uint64_t c_heap = 0;   // the C library's: [heap] and the heaps of its threads
  std::uint64_t mapped = 0;   // other private anonymous memory: large blocks, other allocators
  std::uint64_t stacks = 0;   // of all threads, where they can be told
  std::uint64_t files = 0;    // images and files mapped privately, with their .bss
  std::uint64_t shared = 0;   // shared memory, files mapped shared
  std::uint64_t swapped = 0;  // not resident: of all classes
  [[nodiscard]] std::uint64_t resident() const { return arenas + c_heap + mapped + stacks + files + shared; }
};
// ARENAS in any order; may have none.
[[nodiscard]] Result<MemoryClasses> memory_classes(pid_t pid, std::span<const Range> arenas);

// One mapping, from the text of /proc/PID/maps or smaps.
struct Area {
  enum class Kind : std::uint8_t { anonymous, heap, stack, file, shared, kernel };  // heap: the one brk(2) moves
  Range range;
  Kind kind = Kind::anonymous;
  bool readable = false, writable = false;
  bool guarded = false;                     // has pages that were made inaccessible by madvise(2)
  std::uint64_t resident = 0, swapped = 0;  // smaps only
  bool operator==(const Area&) const = default;
};
[[nodiscard]] std::vector<Area> parse_areas(std::string_view text);

// A piece of a mapping with one use, which is told by its shape and its neighbours.
struct Part {
  enum class Use : std::uint8_t { arena, c_heap, mapped, stack, file, shared };
  Range range;
  Use use = Use::mapped;
  bool operator==(const Part&) const = default;
};
// Pieces of the mapping at INDEX, in order, without gaps. STACK_BYTES: what a thread gets by default (RLIMIT_STACK).
// ARENAS: in order.
[[nodiscard]] std::vector<Part> parts_of(std::span<const Area> areas, std::size_t index, std::uint64_t stack_bytes,
                                         std::span<const Range> arenas);

}  // namespace asyncleak::census
