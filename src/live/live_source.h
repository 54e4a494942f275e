// Samples of this machine, now: what the probes count and what the census sees, in one.
//
// Used by src/cli. One thread; react() and sample() are called from the main loop.
#pragma once

#include "live/memory_modes.h"
#include "probe/catalog.h"
#include "probe/session.h"
#include "sample/inspection.h"
#include "sample/sample.h"
#include "util/result.h"

#include <sys/types.h>
#include <memory>
#include <string>
#include <vector>

namespace asyncleak::live {

struct WatchOptions {
  probe::Scope scope;
  probe::SessionOptions session;
  bool keep_ended = false;    // ended processes stay in the samples
  double census_percent = 5;  // of one core, for looking at memory; 0: never
  MemoryOptions memory;
};

class LiveSource {
 public:
  // Loads, finds what runs already and attaches. With pids in scope, each must be observable.
  [[nodiscard]] static Result<LiveSource> make(WatchOptions options);
  LiveSource(LiveSource&&) noexcept;
  ~LiveSource();

  // Readable when a process has mapped an interpreter or asyncio: call react().
  [[nodiscard]] int event_fd() const;
  void react();
  [[nodiscard]] Sample sample();

  // `run`: counts PID and its descendants (WatchOptions::session.only_watched).
  [[nodiscard]] Result<void> watch_tree(pid_t root);
  // `run`: attaches to an interpreter that nobody runs yet. Best effort.
  void prepare(const std::string& executable);

  // The next memory mode for PID from now on. Error: it cannot be, and why.
  [[nodiscard]] Result<MemoryChange> change_memory(pid_t pid);

  // One process in depth, with what the probes know of its tasks.
  [[nodiscard]] Result<Inspection> inspect(const InspectRequest& request);

  [[nodiscard]] const probe::Catalog& catalog() const;

 private:
  struct State;
  explicit LiveSource(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace asyncleak::live
