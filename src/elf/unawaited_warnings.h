// Where an interpreter warns that a coroutine was destroyed without ever having been awaited.
//
// Used by src/probe (catalog). Python/_warnings.c, _PyErr_WarnUnawaitedCoroutine(), 3.8 to 3.15: it
// takes the attribute "_warn_unawaited_coroutine" of the module warnings, whatever the filters
// say. The function has no dynamic symbol, and where the whole program was optimised it is inlined into
// each caller; but forming the address of that name is one instruction per warning wherever it went.
#pragma once

#include "elf/image.h"
#include "elf/placement.h"
#include "util/result.h"

#include <cstdint>
#include <vector>

namespace asyncleak::elf {

// One warning passes exactly one of these places, with the coroutine in a register that a call keeps
// (rbx, rbp, r12 to r15) or in rdi or rsi. They cost a single step: for rare events only.
// STR_ASCII_DATA: from a str object to its characters (3.11+ keeps the name as a static str).
[[nodiscard]] Result<std::vector<Placement>> find_unawaited_warnings(const Image& core, std::uint64_t str_ascii_data);

}  // namespace asyncleak::elf
