// What tells one pattern of leaking from another, read from single objects.
//
// Used by src/live, which chooses the objects. Says what is so, not what it means: that is src/model/hints.
#pragma once

#include "census/grouping.h"
#include "census/snapshot.h"
#include "sample/census_sample.h"

#include <cstdint>

namespace asyncleak::census {

// Counts TASK into EVIDENCE if it is pending: whether it is awaited, left, or went on after a cancellation.
void add_task(std::uint64_t task, const Readers& readers, PatternEvidence& evidence);

// Of the examples of a group of timers, async generators or transports.
[[nodiscard]] PatternEvidence evidence_of(const Group& group, const Readers& readers);

// Of a growing container; QUEUE: the asyncio queue whose items it keeps, 0: none.
[[nodiscard]] PatternEvidence evidence_of_container(std::uint64_t container, std::uint64_t queue,
                                                    const Readers& readers);

}  // namespace asyncleak::census
