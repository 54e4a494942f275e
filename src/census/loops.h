// Event loops and what they are going to call.
//
// Used by grouping.cpp and inspect. asyncio's own loops keep everything in Python attributes; uvloop keeps
// it in C: there what cannot be seen is nullopt, with the reason.
#pragma once

#include "census/callables.h"
#include "census/snapshot.h"
#include "sample/sample.h"

#include <cstdint>
#include <map>
#include <vector>

namespace asyncleak::census {

struct Callback {
  std::uint64_t count = 0;
  std::uint64_t cancelled = 0;  // of count: timers that will not fire, but are still kept
  std::uint64_t example = 0;    // address of one of the handles
};

struct LoopView {
  std::vector<LoopSample> loops;  // open ones
  std::map<CallableText, Callback> timers, ready;
};

[[nodiscard]] LoopView view_loops(const Snapshot& snapshot, const Readers& readers);

}  // namespace asyncleak::census
