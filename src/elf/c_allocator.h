// The C allocator's functions in an image, and where to probe them: glibc's, or what replaces it (jemalloc,
// tcmalloc, mimalloc), all by their exported names.
//
// Used by src/probe (memory plan) and `doctor`. Which image of a process serves its malloc is not decided here.
#pragma once

#include "elf/image.h"
#include "elf/placement.h"
#include "elf/return_points.h"
#include "util/result.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace asyncleak::elf {

// What a function does with its arguments; C11 and POSIX, the same for every allocator.
enum class AllocatorCall : std::uint8_t {
  malloc,          // (size)
  calloc,          // (count, size)
  realloc,         // (pointer, size)
  reallocarray,    // (pointer, count, size); glibc 2.26
  aligned_alloc,   // (alignment, size); memalign too
  posix_memalign,  // (&pointer, alignment, size): 0 or an error number
  page_aligned,    // (size): valloc, pvalloc
  free,            // (pointer)
};

struct AllocatorFunction {
  AllocatorCall call;
  std::string name;  // "malloc"
  Placement entry;   // arguments in the order above; of free behind its check for NULL where it has one
};

struct CAllocator {
  std::string kind;  // "glibc", "jemalloc", "tcmalloc", "mimalloc", "C library"
  std::vector<AllocatorFunction> functions;
  std::optional<ReturnPoints> malloc_returns;  // every way out of malloc; nullopt: use a return probe
  std::string no_returns_because;
};

// Error: the image exports no malloc and free of its own.
[[nodiscard]] Result<CAllocator> find_c_allocator(const Image& image);

}  // namespace asyncleak::elf
