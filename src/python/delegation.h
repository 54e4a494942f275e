// How a suspended generator or coroutine shows that it delegates (await, yield from) instead of yielding.
//
// What Objects/genobject.c _PyGen_yf looks at, line by line; derived from the layout, so that nobody asks
// for a version. Used by src/census/coroutines.cpp.
#pragma once

#include "python/object_layout.h"

#include <cstddef>
#include <cstdint>

namespace asyncleak::python {

enum class Delegation {
  next_opcode,    // YIELD_FROM is the next instruction (<= 3.10)
  next_argument,  // RESUME is the next instruction; its argument says which kind of yield it follows (3.11, 3.12)
  state,          // GeneratorStates::suspended_yield_from (3.13+)
};

[[nodiscard]] constexpr Delegation delegation_kind(const ObjectLayout& layout) {
  constexpr std::int8_t no_such_state = 127;
  if ((layout.flags & obj_gen_state) == 0) return Delegation::next_opcode;
  return layout.states.suspended_yield_from == no_such_state ? Delegation::next_argument : Delegation::state;
}

struct CodeUnit {
  std::uint8_t opcode, argument;
};

// Include/opcode.h, 3.8 to 3.10. In 3.11 and 3.12 RESUME has several numbers (quickened, instrumented, and a
// tracer replaces it), but after a yield it is always there, and only its argument tells: 1 after yield, 2 after
// yield from, 3 after await (Lib/dis.py documentation of RESUME).
constexpr std::uint8_t opcode_yield_from = 72, resume_after_yield_from = 2;

[[nodiscard]] constexpr bool delegates(Delegation kind, CodeUnit next) {
  return kind == Delegation::next_opcode ? next.opcode == opcode_yield_from : next.argument >= resume_after_yield_from;
}

// Include/cpython/code.h, 3.8 to 3.10: co_code, co_consts, co_names, co_varnames.
constexpr std::size_t code_bytes_before_varnames = 24;

}  // namespace asyncleak::python
