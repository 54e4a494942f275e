#include "view/terminal_guard.h"

#include <unistd.h>
#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <exception>

namespace asyncleak {
namespace {

constexpr std::array crash_signals = {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL};

// All of it is written before `armed`, and only read by the handler after it.
struct Guard {
  std::atomic<bool> armed{false};
  int fd = -1;
  termios modes{};
  std::array<char, 512> restore{};
  std::size_t length = 0;
  std::array<struct sigaction, crash_signals.size()> previous{};
  std::terminate_handler previous_terminate = nullptr;
  // An own stack: a stack overflow is a SIGSEGV too.
  alignas(16) std::array<char, 65536> stack{};
};

Guard guard;

// Only async-signal-safe calls (signal-safety(7) lists write and tcsetattr).
void restore_terminal() {
  if (!guard.armed.exchange(false)) return;
  std::size_t written = 0;
  while (written < guard.length) {
    const ssize_t n = write(guard.fd, guard.restore.data() + written, guard.length - written);
    if (n <= 0) break;
    written += static_cast<std::size_t>(n);
  }
  tcsetattr(guard.fd, TCSANOW, &guard.modes);
}

void on_crash(int signal) {
  restore_terminal();
  for (std::size_t i = 0; i < crash_signals.size(); ++i) {
    if (crash_signals.at(i) == signal) sigaction(signal, &guard.previous.at(i), nullptr);
  }
  raise(signal);  // blocked while we are here: delivered, with the previous action, on return
}

[[noreturn]] void on_terminate() {
  restore_terminal();
  guard.previous_terminate();
  std::abort();
}

}  // namespace

void arm_terminal_guard(int fd, const termios& modes, const std::string& restore) {
  guard.fd = fd;
  guard.modes = modes;
  guard.length = std::min(restore.size(), guard.restore.size());
  std::copy_n(restore.begin(), guard.length, guard.restore.begin());

  stack_t stack{};
  stack.ss_sp = guard.stack.data();
  stack.ss_size = guard.stack.size();
  sigaltstack(&stack, nullptr);
  struct sigaction action {};
  action.sa_handler = on_crash;
  action.sa_flags = SA_ONSTACK;
  for (std::size_t i = 0; i < crash_signals.size(); ++i) {
    sigaction(crash_signals.at(i), &action, &guard.previous.at(i));
  }
  guard.previous_terminate = std::set_terminate(on_terminate);
  [[maybe_unused]] static const int at_exit = std::atexit(restore_terminal);
  guard.armed = true;
}

void disarm_terminal_guard() {
  if (!guard.armed.exchange(false)) return;
  for (std::size_t i = 0; i < crash_signals.size(); ++i) {
    sigaction(crash_signals.at(i), &guard.previous.at(i), nullptr);
  }
  std::set_terminate(guard.previous_terminate);
}

}  // namespace asyncleak
