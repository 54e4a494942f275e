// One process in depth as one line of JSON: `inspect --json`, schema "asyncleak-inspect/1".
//
// Used by src/cli. Always valid UTF-8; null where a value was not observed.
#pragma once

#include "sample/inspection.h"

#include <string>

namespace asyncleak {

// Without the final newline.
[[nodiscard]] std::string to_json(const Inspection& inspection);

}  // namespace asyncleak
