// The live view: screen, text frames or JSON lines of what runs on this machine.
#pragma once

#include "cli/options.h"
#include "probe/live_source.h"

namespace asyncleak::cli {

// Returns the exit status.
[[nodiscard]] int watch_live(const Options& options);

// How the options select and size what is watched.
[[nodiscard]] probe::WatchOptions watch_options(const Options& options);

}  // namespace asyncleak::cli
