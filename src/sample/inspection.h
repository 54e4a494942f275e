// One process in depth at one moment: what `inspect` shows, and the drill-down of the live view.
//
// Made by src/live from the census, read by src/view. Passive; names resolved; nullopt = not observed.
#pragma once

#include "sample/sample.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace asyncleak {

struct InspectedLocal {
  std::string frame;  // the function whose local it is
  std::string name;
  std::string type;
  std::optional<std::uint64_t> length;  // len(), where it has one
  std::uint64_t bytes = 0;              // what it keeps alive, shared objects once per task
  bool at_least = false;
  std::string value;  // only on request (--locals)
};

struct InspectedWaiter {
  std::string how;            // "task", "gather", "shield", "wait", "task-group", "callback"
  std::uint64_t address = 0;  // of the waiting task; 0: not a task, or not known
  std::string task;           // its name
  std::string callback;       // qualified name
};

struct InspectedTask {  // NOLINT(clang-analyzer-optin.performance.Padding): in the order of reading
  std::uint64_t address = 0;
  std::string name;   // "Task-12", or what the program called it
  std::string state;  // "pending", "finished", "failed", "cancelled"
  bool cancel_requested = false;
  std::string coroutine, file;
  std::optional<int> line;  // first line of the coroutine function
  std::vector<Frame> created_at;
  std::optional<double> age_s;
  bool age_at_least = false;
  std::vector<Frame> await_chain;  // innermost first
  bool chain_cut = false;
  std::string waiting_for_type;           // the awaitable at its end; empty: none
  std::uint64_t waiting_for_address = 0;  // a task's address where it is one that is listed
  std::vector<InspectedWaiter> awaited_by;
  bool waiters_complete = true;
  std::optional<std::uint64_t> held_bytes;  // by its locals, or its result
  bool held_at_least = false;
  std::vector<InspectedLocal> locals;    // biggest first
  std::optional<InspectedLocal> result;  // of a finished one; the exception of a failed one
  std::vector<std::string> holders;      // "set `background_tasks` of module app (412 items)"
};

struct InspectedGroup {  // objects alike: coroutines, async generators, timers, ready callbacks
  std::string name, file;
  std::optional<int> line;
  std::uint64_t count = 0;
  std::uint64_t cancelled = 0;    // timers: of count
  std::vector<Frame> waiting_at;  // async generators: where the first stands
  std::vector<std::string> holders;
};

struct InspectedTransport {
  std::string type, protocol, peer, sock;
  std::uint64_t count = 0;
  std::optional<std::uint64_t> write_buffer_bytes;
};

struct InspectedQueue {
  std::string type;
  std::uint64_t length = 0, getters = 0, putters = 0;
  std::optional<std::uint64_t> maxsize;  // 0: unbounded
  std::vector<std::string> holders;
};

struct InspectedWait {  // locks, events, conditions, semaphores that somebody waits for
  std::string type;
  std::uint64_t waiters = 0;
};

// Which tasks are listed, and how much of each is shown.
struct InspectRequest {
  pid_t pid = 0;
  std::string task;            // name or 0xADDRESS; empty: all
  std::string coroutine_glob;  // fnmatch(3) on the qualified name; empty: all
  std::optional<double> older_s;
  bool values = false;  // of locals: the program's data, shown only when asked for
  bool redact = false;  // ... but text and numbers only as type and length
  std::size_t limit = 1000;
};

struct Inspection {
  std::int64_t wall_ns = 0;       // CLOCK_REALTIME
  ProcessSample process;          // with loops, memory and census
  std::uint64_t tasks_total = 0;  // before --task, --coroutine, --older and the limit
  std::vector<InspectedTask> tasks;
  std::uint64_t tasks_left_out = 0;  // matched, but over the limit
  std::vector<InspectedGroup> coroutines, asyncgens, timers, ready;
  std::vector<InspectedTransport> transports;
  std::vector<InspectedQueue> queues;
  std::vector<InspectedWait> waits;
};

}  // namespace asyncleak
