// What a key means in every list and page: a letter, a way to move, forwards, back.
//
// Used by view/keys. Pure; knows no page.
#pragma once

#include "view/keys.h"

#include <optional>

namespace asyncleak {

// htop's function keys, for fingers that know them, become letters; 0: not one of ours.
[[nodiscard]] char32_t letter_of(Key key);
// Lines to move for the keys every list understands; PAGE lines at a time, to the ends with ALL.
[[nodiscard]] std::optional<int> movement(Key key, int page, int all);
[[nodiscard]] bool is_back(Key key);
[[nodiscard]] bool is_enter(Key key);

}  // namespace asyncleak
