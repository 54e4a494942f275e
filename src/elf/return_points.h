// Where a function that returns a pointer can be probed instead of at its return: instructions the kernel emulates
// at which a register already holds what will be returned.
//
// Used by c_allocator.cpp. A return probe costs a second trap on the way out; a probe on `ret` itself is
// single-stepped (CPYTHON.md section 4). Pure: decodes, follows branches, guesses nothing.
#pragma once

#include "elf/image.h"
#include "elf/placement.h"
#include "util/result.h"

#include <cstdint>
#include <vector>

namespace asyncleak::elf {

// A call that returns a pointer passes exactly one place of `whole` and `after` with it in arguments[0], and none
// with another pointer; one that returns NULL may pass them with NULL there, or pass none. NULL in arguments[0] means
// nothing: the same call may still pass a second place, with a pointer.
//
// On some paths the argument is overwritten before the result is known (glibc's single-threaded path). They pass a
// place of `before`, where the argument is to be noted for the thread, and then one of `after`. Code that other
// functions enter too is probed by `after` alone: a hit of it that no hit of `before` precedes, or whose note has
// been used, is not this function's. A hit of `whole` ends the note as well.
struct ReturnPoints {
  std::vector<Placement> whole;               // arguments: the value to be returned, the kept argument
  std::vector<Placement> before;              // arguments: the kept argument
  std::vector<Placement> after;               // arguments: the value to be returned
  std::vector<std::uint64_t> unseen_returns;  // jumps to a computed address: calls that take one may pass no place
};

// KEPT is the argument, as a register at ENTRY. Error: there is no such set, and the first path that has no place.
[[nodiscard]] Result<ReturnPoints> find_points_of_returns(const Image& image, std::uint64_t entry, Register kept);

}  // namespace asyncleak::elf
