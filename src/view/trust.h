// What the counts are worth, in one line: since when they are exact, what is not observed, what
// was lost; whether memory agrees with what the probes counted. The one wording of every text view.
//
// Used by view/batch, the screen's summary and its pages. Pure.
#pragma once

#include "view/pages.h"

namespace asyncleak {

// Without a label before it. The reasons of losses stand last: their list may be long.
[[nodiscard]] Line trust_line(const Report& report);

// Of one process: when its memory was last looked at, and how that agrees with the kernel's counts.
[[nodiscard]] Line census_line(const ProcessSample& process, std::int64_t now_ns);

}  // namespace asyncleak
