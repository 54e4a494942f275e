// What this machine allows: kernel, BTF, privileges. Asked before anything is loaded, so that
// a refusal names the one thing to do.
//
// Used by src/cli (all commands at start, `doctor` in full).
#pragma once

#include "util/result.h"

#include <string>
#include <vector>

namespace asyncleak::probe {

struct Check {
  std::string subject;  // "kernel", "BTF", "privileges", ...
  bool passed;
  std::string finding;  // what was found
  std::string advice;   // what to do; empty when passed
};

[[nodiscard]] std::vector<Check> check_environment();
// The same, and what only trying tells: a tenth of a second, for `doctor`.
[[nodiscard]] std::vector<Check> check_thoroughly();

// unobservable with the first failed check.
[[nodiscard]] Result<void> require_environment();

}  // namespace asyncleak::probe
