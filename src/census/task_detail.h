// One task in full: state, place, chain, waiters, locals with what they keep alive.
//
// Used by inspect.cpp, and by held.cpp for what the tasks of a site hold.
#pragma once

#include "census/deep_size.h"
#include "census/snapshot.h"
#include "sample/inspection.h"

#include <cstdint>
#include <vector>

namespace asyncleak::census {

class TaskDetail {
 public:
  TaskDetail(const Readers* readers, const InspectRequest* request) : readers_(readers), request_(request) {}

  // nullopt: it is gone.
  [[nodiscard]] std::optional<InspectedTask> read(std::uint64_t task) const;

 private:
  void add_waiters(InspectedTask& task) const;
  void add_locals(InspectedTask& task, const TaskView& view) const;
  [[nodiscard]] InspectedLocal local(DeepSizer& sizer, std::uint64_t object) const;

  const Readers* readers_;
  const InspectRequest* request_;
};

// The coroutine and everything it is waiting in, outermost first: whose locals are the task's.
[[nodiscard]] std::vector<std::uint64_t> generators_of(std::uint64_t coroutine, const Readers& readers);

// What a task keeps alive that SIZER has not yet counted: its locals, or its result once it is done.
[[nodiscard]] DeepSize held_by(std::uint64_t task, const Readers& readers, DeepSizer& sizer);

}  // namespace asyncleak::census
