// Python's own small-block allocator (pymalloc) in an interpreter's image, without symbols: the four functions of
// its table, and whether calls to them were replaced by copies of their code (whole-program optimisation).
//
// Used by src/probe (memory plan) and `doctor`. Objects/obmalloc.c, 3.8 to 3.15. Free-threaded builds have
// mimalloc in its place (3.13t+).
#pragma once

#include "elf/image.h"
#include "elf/placement.h"
#include "util/result.h"

#include <cstdint>

namespace asyncleak::elf {

// PyMemAllocatorEx functions: (ctx, ...), the arguments wanted at each place are those after ctx.
struct ObjectAllocator {
  Placement malloc;   // size
  Placement calloc;   // count, size
  Placement realloc;  // pointer, size
  Placement free;     // pointer
  // Places that compare the table's entry with the address of malloc or free and then go on in an inlined
  // copy: more than 0 = probes on the functions see only a part of the calls.
  std::uint32_t inlined_copies = 0;
};

[[nodiscard]] Result<ObjectAllocator> find_object_allocator(const Image& core);

}  // namespace asyncleak::elf
