#include "cli/events.h"

#include <poll.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstdint>

namespace asyncleak::cli {
namespace {

timespec timespec_of(double seconds) {
  constexpr double longest = 1e9;  // thirty years: more does not fit everywhere
  const double whole = std::floor(std::min(seconds, longest));
  return {static_cast<time_t>(whole),
          static_cast<long>(std::lround((std::min(seconds, longest) - whole) * 1e9)) % 1'000'000'000};
}

Result<void> set_timer(const Fd& timer, const itimerspec& times) {
  if (timerfd_settime(timer.get(), 0, &times, nullptr) != 0) return fail(system_error("timerfd_settime", errno));
  return {};
}

bool take_expiration(const Fd& timer) {
  std::uint64_t expirations = 0;
  return read(timer.get(), &expirations, sizeof(expirations)) == sizeof(expirations);
}

}  // namespace

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
  Fd end(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!end) return fail(system_error("timerfd_create", errno));
  return Events(std::move(signals), std::move(timer), std::move(end), original);
}

Result<void> Events::set_delay(double seconds) {
  const timespec delay = timespec_of(seconds);
  return set_timer(timer_, {delay, delay});
}

Result<void> Events::end_after(double seconds) { return set_timer(end_, {{}, timespec_of(seconds)}); }

Happened Events::wait(int timeout_ms) {
  std::array<pollfd, 5> waiting{{{signals_.get(), POLLIN, 0},
                                 {timer_.get(), POLLIN, 0},
                                 {source_, POLLIN, 0},  // -1: poll leaves it out
                                 {terminal_, POLLIN, 0},
                                 {end_.get(), POLLIN, 0}}};
  Happened happened;
  if (poll(waiting.data(), waiting.size(), timeout_ms) < 0) {
    happened.key = errno == EINTR;  // SIGWINCH and SIGTSTP are curses' own
    return happened;
  }
  signalfd_siginfo info{};
  if (waiting[0].revents != 0 && read(signals_.get(), &info, sizeof(info)) == sizeof(info)) happened.signal = info;
  if (waiting[1].revents != 0) happened.refresh = take_expiration(timer_);
  happened.mapping = waiting[2].revents != 0;
  happened.key = waiting[3].revents != 0;
  if (waiting[4].revents != 0) happened.over = take_expiration(end_);
  return happened;
}

}  // namespace asyncleak::cli
