// One report as one line of JSON: the contract of `--json` (DESIGN.md section 2).
//
// Used by src/cli. Always valid UTF-8; null where a value was not observed.
#pragma once

#include "model/report.h"

#include <string>

namespace asyncleak {

// Without the final newline.
[[nodiscard]] std::string to_json(const Report& report);

}  // namespace asyncleak
