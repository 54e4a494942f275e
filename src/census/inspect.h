// A process in depth: every task with its await chain, waiters, locals and holders; every other object by group.
//
// Used by src/live/inspector.cpp, for the command `inspect` and the drill-down of the live view.
#pragma once

#include "census/snapshot.h"
#include "sample/inspection.h"

#include <cstdint>
#include <functional>

namespace asyncleak::census {

// What the caller knows of a task beyond memory: when and where it was created. Fills age_s and created_at.
using KnownOfTask = std::function<void(InspectedTask&)>;

// Fills all of Inspection but wall_ns and the process's identity.
[[nodiscard]] Inspection inspect(const Heap& heap, Readers& readers, const Snapshot& snapshot,
                                 const InspectRequest& request, const KnownOfTask& known);

// True when the request's filters let the task through (all but older_s).
[[nodiscard]] bool matches(const TaskRecord& task, const Readers& readers, const InspectRequest& request);

}  // namespace asyncleak::census
