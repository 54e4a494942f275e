// Every way an event can be lost, by the name users see.
//
// Used by map_reader.cpp; the man page lists the same names (a test compares).
#pragma once

#include "asyncleak.h"
#include "sample/sample.h"

#include <array>
#include <cstdint>
#include <vector>

namespace asyncleak::probe {

using Counters = std::array<std::uint64_t, AL_COUNTERS>;  // by al_counter

// One Drop per loss counter of the contract, in its order, also those at zero.
[[nodiscard]] std::vector<Drop> describe_drops(const Counters& counters);

// Tasks were created that no count has; whose they are is not known.
[[nodiscard]] bool lost_whole_tasks(const Counters& counters);

}  // namespace asyncleak::probe
