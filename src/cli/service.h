// What the service manager that started us hears: ready, alive, stopping. The protocol of sd_notify(3) is one datagram
// a message, and its manual asks programs to speak it themselves rather than to depend on libsystemd for it.
//
// Used by daemon.cpp. Knows nothing of what the program does; times are CLOCK_MONOTONIC.
#pragma once

#include "util/handle.h"
#include "util/result.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace asyncleak::cli {

class ServiceManager {
 public:
  // Takes $NOTIFY_SOCKET, $WATCHDOG_USEC and $WATCHDOG_PID out of the environment: they are meant for us alone.
  // Without them an object that tells nobody. Error: the socket named is none that can be sent to.
  [[nodiscard]] static Result<ServiceManager> from_environment();

  // Ready; a watchdog that would bite between two signs of life, DELAY_NS apart, is set to four of them.
  void ready(std::string_view status, std::int64_t now_ns, std::int64_t delay_ns);
  // All is well. The watchdog hears of it at half its time, the status when it has changed and is ten seconds old.
  void alive(std::string_view status, std::int64_t now_ns, std::int64_t delay_ns);
  // Not all is: the watchdog hears nothing.
  void troubled(std::string_view status);
  void stopping(std::string_view status);

 private:
  void send(const std::string& message, bool wait) const;

  Fd socket_;
  std::string address_;           // a sockaddr_un's bytes
  std::int64_t watchdog_ns_ = 0;  // 0: nobody waits
  std::int64_t fed_ns_ = 0, told_ns_ = 0;
  std::string told_;
};

}  // namespace asyncleak::cli
