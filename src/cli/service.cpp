#include "cli/service.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <optional>

namespace asyncleak::cli {

namespace {

constexpr std::int64_t status_interval_ns = 10'000'000'000;

std::string take_from_environment(const char* name) {
  const char* value = std::getenv(name);
  std::string text = value != nullptr ? value : "";
  unsetenv(name);
  return text;
}

std::optional<std::int64_t> number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value <= 0) return std::nullopt;
  return value;
}

// As sd_notify(3): a path, or "@" and an abstract name; vsock is for machines, not for services.
std::optional<std::string> address_of(const std::string& name) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (name.size() < 2 || name.size() >= sizeof(address.sun_path)) return std::nullopt;
  if (name.front() != '/' && name.front() != '@') return std::nullopt;
  std::memcpy(address.sun_path, name.data(), name.size());
  const bool abstract = name.front() == '@';
  if (abstract) address.sun_path[0] = '\0';
  const std::size_t length = offsetof(sockaddr_un, sun_path) + name.size() + (abstract ? 0 : 1);
  return std::string(reinterpret_cast<const char*>(&address), length);
}

}  // namespace

Result<ServiceManager> ServiceManager::from_environment() {
  const auto socket_name = take_from_environment("NOTIFY_SOCKET");
  const auto watchdog_us = number(take_from_environment("WATCHDOG_USEC"));
  const auto watchdog_pid = take_from_environment("WATCHDOG_PID");
  ServiceManager manager;
  if (socket_name.empty()) return manager;
  auto address = address_of(socket_name);
  if (!address) return fail(fmt::format("NOTIFY_SOCKET={}: no socket of this machine", socket_name));
  manager.address_ = std::move(*address);
  manager.socket_ = Fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!manager.socket_) return fail(system_error("a socket for NOTIFY_SOCKET", errno));
  constexpr std::int64_t longest_us = INT64_MAX / 1000;
  const bool ours = watchdog_pid.empty() || number(watchdog_pid) == getpid();
  if (watchdog_us && ours) manager.watchdog_ns_ = std::min(*watchdog_us, longest_us) * 1000;
  return manager;
}

void ServiceManager::ready(std::string_view status, std::int64_t now_ns, std::int64_t delay_ns) {
  std::string message = fmt::format("READY=1\nSTATUS={}", status);
  if (watchdog_ns_ > 0 && watchdog_ns_ < 4 * delay_ns) {
    watchdog_ns_ = 4 * delay_ns;
    message += fmt::format("\nWATCHDOG_USEC={}", watchdog_ns_ / 1000);
  }
  send(message, true);
  fed_ns_ = told_ns_ = now_ns;
  told_ = status;
}

void ServiceManager::alive(std::string_view status, std::int64_t now_ns, std::int64_t delay_ns) {
  std::string message;
  // Now, when the next time would be later than half of it.
  if (watchdog_ns_ > 0 && now_ns - fed_ns_ + delay_ns > watchdog_ns_ / 2) {
    message = "WATCHDOG=1";
    fed_ns_ = now_ns;
  }
  if (status != told_ && now_ns - told_ns_ >= status_interval_ns) {
    message += fmt::format("{}STATUS={}", message.empty() ? "" : "\n", status);
    told_ = status;
    told_ns_ = now_ns;
  }
  if (!message.empty()) send(message, false);
}

void ServiceManager::troubled(std::string_view status) {
  if (status == told_) return;
  told_ = status;
  send(fmt::format("STATUS={}", status), false);
}

void ServiceManager::stopping(std::string_view status) { send(fmt::format("STOPPING=1\nSTATUS={}", status), false); }

// What cannot be delivered is no reason to stop watching: the next message comes.
void ServiceManager::send(const std::string& message, bool wait) const {
  if (!socket_) return;
  (void)sendto(socket_.get(), message.data(), message.size(), MSG_NOSIGNAL | (wait ? 0 : MSG_DONTWAIT),
               reinterpret_cast<const sockaddr*>(address_.data()), static_cast<socklen_t>(address_.size()));
}

}  // namespace asyncleak::cli
