// Who is told when a future is done: its callbacks, followed through asyncio's own helpers to the task behind.
//
// Used by awaits.cpp only.
#pragma once

#include "census/awaits.h"

#include <cstdint>

namespace asyncleak::census {

class WaiterSearch {
 public:
  WaiterSearch(const Objects* objects, const Coroutines* coroutines) : objects_(objects), coroutines_(coroutines) {}
  [[nodiscard]] Awaits::Waiters waiters(std::uint64_t future);

 private:
  // False: memory could not be followed.
  bool each_callback(std::uint64_t future, Awaits::Waiters& out);
  void add_callback(std::uint64_t callback, Awaits::Waiters& out);
  [[nodiscard]] bool add_known(std::uint64_t callback, std::uint64_t function, Awaits::Waiters& out);
  void add_awaited_by(std::uint64_t future, Awaits::Waiters& out);
  // The first task that waits for it; 0: none.
  [[nodiscard]] std::uint64_t task_behind(std::uint64_t future_or_task_or_queue);

  const Objects* objects_;
  const Coroutines* coroutines_;
  int depth_ = 0;
  int looked_at_ = 0;
};

}  // namespace asyncleak::census
