// What one uprobe hit costs here: measured on ourselves, in about two milliseconds.
//
// Used by src/live; the header of the top view shows the product of this and the hits.
#pragma once

#include "probe/session.h"
#include "util/result.h"

namespace asyncleak::probe {

// Nanoseconds of an empty program on an emulated instruction: the trap itself. Ours come on
// top and are timed in the kernel (AL_TIMED_NS).
[[nodiscard]] Result<double> measure_trap_ns(Session& session);
// More, where the function's return is probed.
[[nodiscard]] Result<double> measure_return_ns(Session& session);

}  // namespace asyncleak::probe
