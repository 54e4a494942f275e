// `diff FILE [FILE]`: what became more between two moments.
#pragma once

#include "cli/options.h"

namespace asyncleak::cli {

// Returns the exit status.
int compare_recordings(const Options& options);

}  // namespace asyncleak::cli
