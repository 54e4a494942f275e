// What a process holds of asyncio at one moment: addresses and states, from one scan of its memory.
//
// Used by grouping.cpp (sites), src/live (seeding, trust) and inspect. Addresses are worth something only while
// the object lives: whoever follows one later checks its type again.
#pragma once

#include "census/awaits.h"
#include "census/coroutines.h"
#include "census/growth.h"
#include "census/heap_scan.h"
#include "census/objects.h"
#include "sample/census_sample.h"
#include "util/result.h"

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

namespace asyncleak::census {

struct TaskRecord {
  std::uint64_t address = 0, coroutine = 0;
  std::uint64_t waits_for = 0;  // the future it is suspended on; 0: none
  TaskState state = TaskState::unknown;
  bool cancel_requested = false;
};

struct GeneratorRecord {
  std::uint64_t address = 0, code = 0;
};

struct Snapshot {
  std::deque<TaskRecord> tasks;            // a deque: never moved while it grows, a million are 32 MB and no more
  std::vector<GeneratorRecord> unstarted;  // coroutine objects never started, but for those of tasks
  std::vector<GeneratorRecord> asyncgens;  // started, not finished
  std::vector<std::uint64_t> loops, transports, queues, syncs, timer_handles;
  std::vector<ContainerRecord> containers;  // long ones
  std::uint64_t python_tasks = 0;           // of asyncio's pure Python Task
  ScanStats scan;
  std::uint64_t swapped_bytes = 0;          // not looked at: what they hold is not counted
  bool ranges_cut = false;                  // more memory than can be listed: the rest was not looked at
  std::int64_t began_ns = 0, ended_ns = 0;  // CLOCK_MONOTONIC
  // Why there may be more than was found, one clause each; empty: it is all.
  [[nodiscard]] std::vector<std::string> reasons() const;
  // What memory alone says; the kernel's side is the caller's.
  [[nodiscard]] CensusSample summary() const;
};

// The readers of one process, sharing what they learned of its types and code.
struct Readers {
  explicit Readers(const Heap* heap)
      : types(heap), objects(heap, &types), coroutines(&objects), awaits(&objects, &coroutines) {}
  Readers(const Readers&) = delete;
  TypeTable types;
  Objects objects;
  Coroutines coroutines;
  Awaits awaits;
};

// HEAP's memory should be fresh (CachedMemory::forget). Error: the process is gone or may not be read.
[[nodiscard]] Result<Snapshot> take_snapshot(const Heap& heap, Readers& readers);

}  // namespace asyncleak::census
