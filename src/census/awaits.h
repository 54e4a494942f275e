// Await chains: what a task waits for, innermost first, and who waits for it.
//
// Used by the sample (waiting_at) and inspect. Unknown is said, never guessed.
#pragma once

#include "census/coroutines.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace asyncleak::census {

struct AwaitChain {
  std::vector<Frame> frames;    // innermost first; the last one is the task's own coroutine
  std::uint64_t awaitable = 0;  // the object at the end: a future, a task, an async generator's step, ...; 0: none
  std::string awaitable_type;   // "_asyncio.Future", "" when none
  bool cut = false;             // deeper than the bound, or torn: "at least"
};

enum class TaskState : std::uint8_t { pending, finished, failed, cancelled, unknown };
[[nodiscard]] std::string_view name_of(TaskState state);

// A task object's own fields, read in one go.
struct TaskView {
  TaskState state = TaskState::unknown;
  bool cancel_requested = false;  // pending although cancel() was called: must_cancel, or num_cancels_requested > 0
  std::uint64_t coroutine = 0;    // 0: cleared
  std::uint64_t name = 0;         // str, or 0 when it is numbered
  std::uint64_t name_number = 0;  // Task-N not yet formatted (3.12+)
  std::uint64_t result = 0, exception = 0;
};

// Who is told when a future is done, from its callbacks.
struct Waiter {
  enum class How : std::uint8_t { task, gather, shield, wait, as_completed, task_group, callback };
  How how = How::callback;
  std::uint64_t task = 0;  // the task behind it, where it could be followed
  std::string callback;    // qualified name, where it is none of asyncio's own
  bool over = false;       // gather: it has its result or its exception already, nobody needs this one any more
  bool told = true;        // false: no callback will tell it, only the future says so (3.14+), perhaps no longer true
};
[[nodiscard]] std::string_view name_of(Waiter::How how);  // "task", "task-group"; as_completed is "wait", too

class Awaits {
 public:
  Awaits(const Objects* objects, const Coroutines* coroutines) : objects_(objects), coroutines_(coroutines) {}

  [[nodiscard]] std::optional<TaskView> task(std::uint64_t address) const;
  [[nodiscard]] std::string task_name(const TaskView& task) const;  // "Task-12"
  [[nodiscard]] AwaitChain chain(std::uint64_t coroutine) const;
  // COMPLETE false: callbacks could not all be read.
  struct Waiters {
    std::vector<Waiter> known;
    bool complete = true;
  };
  [[nodiscard]] Waiters waiters(std::uint64_t future) const;

 private:
  const Objects* objects_;
  const Coroutines* coroutines_;
};

}  // namespace asyncleak::census
