// What the counts are worth, in one line: since when they are exact, what is not observed, what
// was lost. The one wording of every text view.
//
// Used by view/batch and the screen's summary. Pure.
#pragma once

#include "view/pages.h"

namespace asyncleak {

// Without a label before it. The reasons of losses stand last: their list may be long.
[[nodiscard]] Line trust_line(const Report& report);

}  // namespace asyncleak
