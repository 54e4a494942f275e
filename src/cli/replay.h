// `replay FILE`: a recording as if it were live. Needs no privilege and no probe.
#pragma once

#include "cli/options.h"

namespace asyncleak::cli {

// Returns the exit status.
int show_recording(const Options& options);

}  // namespace asyncleak::cli
