// The keys that a recording has and a living machine has not: to other moments, and how fast.
//
// Used by keys.cpp. Pure, as that.
#pragma once

#include "view/keys.h"

#include <optional>

namespace asyncleak {

// UI has a playback. nullopt: not one of these keys.
[[nodiscard]] std::optional<Action> playback_key(UiState& ui, char32_t letter);

}  // namespace asyncleak
