// The live view: screen, text frames or JSON lines of what runs on this machine.
#pragma once

#include "cli/options.h"
#include "live/live_source.h"

namespace asyncleak::cli {

// Returns the exit status.
[[nodiscard]] int watch_live(const Options& options);

// How the options select and size what is watched.
[[nodiscard]] live::WatchOptions watch_options(const Options& options);

}  // namespace asyncleak::cli
