// Does any direct branch of an image lead between a function's entry and a place in it?
// Then a probe at the place could fire more than once per call.
//
// Used by placement.cpp only.
#pragma once

#include "elf/image.h"

#include <cstdint>
#include <optional>
#include <string>

namespace asyncleak::elf {

// The branch that leads into (function.begin, place], as text; nullopt when none does. Finds a
// superset: bytes anywhere in the code that would be such a branch count.
[[nodiscard]] std::optional<std::string> branch_into(const Image& image, const Range& function, std::uint64_t place);

}  // namespace asyncleak::elf
