// One look at one process: its tasks as await trees, what they hold, and what leaks without a task.
#pragma once

#include "cli/options.h"

namespace asyncleak::cli {

// Returns the exit status.
[[nodiscard]] int inspect_process(const Options& options);

}  // namespace asyncleak::cli
