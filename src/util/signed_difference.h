// How much a count or a size changed: its old and new value are unsigned, the change is not.
//
// Used by src/model and src/view.
#pragma once

#include <cstdint>

namespace asyncleak {

[[nodiscard]] constexpr std::int64_t signed_difference(std::uint64_t now, std::uint64_t before) {
  return static_cast<std::int64_t>(now) - static_cast<std::int64_t>(before);
}

}  // namespace asyncleak
