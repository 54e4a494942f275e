// What the tasks of a site hold, from some of them.
//
// Used by src/live for held_bytes. Shared objects count once for the site, however many tasks see them.
#pragma once

#include "census/snapshot.h"
#include "sample/sample.h"

#include <cstdint>
#include <span>

namespace asyncleak::census {

// SOME of the site's TASKS tasks were chosen evenly. LIMIT: objects looked at, in all.
[[nodiscard]] HeldSample estimate_held(std::span<const std::uint64_t> some, std::uint64_t tasks, const Readers& readers,
                                       std::uint64_t limit);

}  // namespace asyncleak::census
