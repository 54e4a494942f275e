// What one uprobe hit costs here: measured on ourselves, at start, in about two milliseconds.
//
// Used by src/live; the header of the top view shows the product of this and the hits.
#pragma once

#include "probe/session.h"
#include "util/result.h"

namespace asyncleak::probe {

// Nanoseconds of an empty program on an emulated instruction: the trap itself. Ours come on
// top and are timed in the kernel (AL_TIMED_NS).
struct TrapCost {
  double hit_ns = 0;
  double return_ns = 0;  // more, where the function's return is probed too
};
[[nodiscard]] Result<TrapCost> measure_traps(Session& session);

}  // namespace asyncleak::probe
