// Tasks that wait only for each other: none of them will ever go on by itself.
//
// Used by src/live. What a task waits for: a task, or gather, shield, wait() or a task group of tasks; whoever waits
// for anything else, or has a timer that will end the wait, may go on, and so may all who wait for it.
#pragma once

#include "census/snapshot.h"

#include <cstdint>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace asyncleak::census {

// Pending tasks, each with all that it waits for; who is not a key waits for something else.
using Waits = std::unordered_map<std::uint64_t, std::vector<std::uint64_t>>;

// The largest set of keys that wait for members of the set only.
[[nodiscard]] std::unordered_set<std::uint64_t> waiting_for_each_other(const Waits& waits);

// At the moment of SNAPSHOT: what still is so at the next one is a deadlock.
[[nodiscard]] std::unordered_set<std::uint64_t> find_circles(const Snapshot& snapshot, const Readers& readers);

}  // namespace asyncleak::census
