// The variables of a code object: names of the slots of its frames, and of the cells of its closures.
//
// Used by coroutines.cpp (locals) and waiters.cpp (what a callback closes over).
#pragma once

#include "census/objects.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace asyncleak::census {

struct Variable {
  std::string name;
  bool cell = false;  // the slot holds a cell
  bool free = false;  // ... of an enclosing function: an item of the function's closure
};

// More slots than any function has: beyond, the code object is gone.
constexpr std::size_t most_variables = 4096;

// In the order of the slots of a frame. Empty: none, or unreadable.
[[nodiscard]] std::vector<Variable> variables_of(const Objects& objects, std::uint64_t code);

// The object in the closure of FUNCTION under NAME; nullopt: no such variable, or not bound.
[[nodiscard]] std::optional<std::uint64_t> closure_value(const Objects& objects, std::uint64_t function,
                                                         std::string_view name);

}  // namespace asyncleak::census
