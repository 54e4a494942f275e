#include "cli/events.h"

#include <poll.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstdint>

namespace asyncleak::cli {

Result<Events> Events::make() {
  sigset_t handled;
  sigset_t original;
  sigemptyset(&handled);
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGCHLD, SIGUSR1}) sigaddset(&handled, number);
  if (sigprocmask(SIG_BLOCK, &handled, &original) != 0) return fail(system_error("sigprocmask", errno));
  signal(SIGPIPE, SIG_IGN);  // a reader that goes away is an ordinary write error
  Fd signals(signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals) return fail(system_error("signalfd", errno));
  Fd timer(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!timer) return fail(system_error("timerfd_create", errno));
  return Events(std::move(signals), std::move(timer), original);
}

Result<void> Events::set_delay(double seconds) {
  itimerspec every{};
  every.it_interval.tv_sec = static_cast<time_t>(seconds);
  every.it_interval.tv_nsec = static_cast<long>(std::lround((seconds - std::floor(seconds)) * 1e9)) % 1'000'000'000;
  every.it_value = every.it_interval;
  if (timerfd_settime(timer_.get(), 0, &every, nullptr) != 0) return fail(system_error("timerfd_settime", errno));
  return {};
}

Happened Events::wait(int timeout_ms) {
  std::array<pollfd, 4> waiting{{{signals_.get(), POLLIN, 0},
                                 {timer_.get(), POLLIN, 0},
                                 {source_, POLLIN, 0},  // -1: poll leaves it out
                                 {terminal_, POLLIN, 0}}};
  Happened happened;
  if (poll(waiting.data(), waiting.size(), timeout_ms) < 0) {
    happened.key = errno == EINTR;  // SIGWINCH and SIGTSTP are curses' own
    return happened;
  }
  signalfd_siginfo info{};
  if (waiting[0].revents != 0 && read(signals_.get(), &info, sizeof(info)) == sizeof(info)) happened.signal = info;
  std::uint64_t expirations = 0;
  if (waiting[1].revents != 0) {
    happened.refresh = read(timer_.get(), &expirations, sizeof(expirations)) == sizeof(expirations);
  }
  happened.mapping = waiting[2].revents != 0;
  happened.key = waiting[3].revents != 0;
  return happened;
}

}  // namespace asyncleak::cli
