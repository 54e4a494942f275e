// The terminal: shows a ScreenFrame, reads keys, and is put back as it was on every way out.
//
// Used by the main loop in src/cli; the only code that knows curses. Knows no report. One at a
// time in a process. SIGINT, SIGTERM and SIGHUP are the main loop's (signalfd); SIGTSTP and
// SIGWINCH are left to curses: after poll() returns, also with EINTR, call read_key() until it
// has no more.
#pragma once

#include "util/result.h"
#include "view/frame.h"
#include "view/keys.h"

#include <memory>
#include <optional>

namespace asyncleak {

struct TerminalOptions {
  bool color = true;   // false: bold and reverse only; the caller looks at NO_COLOR
  bool ascii = false;  // true: never more than ASCII, also where the locale says UTF-8
};

class Terminal {
 public:
  // Takes over the terminal. The caller has called setlocale(LC_ALL, "").
  [[nodiscard]] static Result<Terminal> open(TerminalOptions options);
  Terminal(Terminal&&) noexcept;
  Terminal& operator=(Terminal&&) noexcept;
  ~Terminal();

  [[nodiscard]] Size size() const;
  [[nodiscard]] bool ascii() const;  // for UiState::ascii
  void draw(const ScreenFrame& frame);
  [[nodiscard]] std::optional<Key> read_key();  // never waits
  [[nodiscard]] int input_fd() const;

 private:
  struct State;
  explicit Terminal(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace asyncleak
