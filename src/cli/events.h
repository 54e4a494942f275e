// What the main loops wait for: the next refresh, a signal, a key, a new process. One poll(2),
// no signal handler, so that every way out is ordinary code.
//
// Used by live.cpp, run.cpp and replay.cpp. Knows descriptors only.
#pragma once

#include "util/handle.h"
#include "util/result.h"

#include <sys/signalfd.h>
#include <chrono>
#include <csignal>
#include <optional>

namespace asyncleak::cli {

struct Happened {
  bool refresh = false;  // the delay has passed
  bool over = false;     // so has the time of end_after()
  bool mapping = false;  // the source's descriptor is readable
  bool key = false;      // so is the terminal's, or a signal curses handles came
  std::optional<signalfd_siginfo> signal;
};

class Events {
 public:
  // Blocks SIGINT, SIGTERM, SIGHUP, SIGCHLD, SIGUSR1 for the process and ignores SIGPIPE.
  [[nodiscard]] static Result<Events> make();

  [[nodiscard]] Result<void> set_delay(double seconds);
  // Happened::over, once, so long from now.
  [[nodiscard]] Result<void> end_after(double seconds);
  void watch_source(int fd) { source_ = fd; }
  void watch_terminal(int fd) { terminal_ = fd; }
  // At most TIMEOUT_MS; -1: as long as it takes.
  [[nodiscard]] Happened wait(int timeout_ms = -1);
  // The signal mask of before, for a child about to exec.
  [[nodiscard]] const sigset_t& original_mask() const { return original_; }

 private:
  Events(Fd signals, Fd timer, Fd end, sigset_t original)
      : signals_(std::move(signals)), timer_(std::move(timer)), end_(std::move(end)), original_(original) {}

  Fd signals_, timer_, end_;
  sigset_t original_;
  int source_ = -1, terminal_ = -1;
};

}  // namespace asyncleak::cli
