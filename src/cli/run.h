// `run -- CMD`: starts a command with the probes already in place and watches it to its end.
#pragma once

#include "cli/options.h"

namespace asyncleak::cli {

// The command's own exit status (128 + N when signal N ended it), or 1 when a finding matched
// --fail-on, or 2/3 when it could not be started or observed.
[[nodiscard]] int run_command(const Options& options);

}  // namespace asyncleak::cli
