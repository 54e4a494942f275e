#include "cli/service.h"

#include "../temporary_folder.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <array>
#include <catch2/catch.hpp>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string>

namespace asyncleak::cli {
namespace {

constexpr std::int64_t second_ns = 1'000'000'000;

// The service manager's end. NAME as in $NOTIFY_SOCKET.
class Receiver {
 public:
  explicit Receiver(const std::string& name) : socket_(socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name.data(), name.size());
    if (name[0] == '@') address.sun_path[0] = '\0';
    const auto length = offsetof(sockaddr_un, sun_path) + name.size() + (name[0] == '@' ? 0 : 1);
    REQUIRE(bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), static_cast<socklen_t>(length)) == 0);
    REQUIRE(setenv("NOTIFY_SOCKET", name.c_str(), 1) == 0);
  }
  // The next datagram; "" when there is none.
  [[nodiscard]] std::string next() const {
    std::array<char, 4096> buffer{};
    const ssize_t length = recv(socket_.get(), buffer.data(), buffer.size(), 0);
    return length > 0 ? std::string(buffer.data(), static_cast<std::size_t>(length)) : "";
  }

 private:
  Fd socket_;
};

}  // namespace

TEST_CASE("a service manager hears of readiness, life and the end, by path and by abstract name") {
  const test::TemporaryFolder folder;
  for (const std::string& name : {folder.path() + "/notify", "@asyncleak-unit-" + std::to_string(getpid())}) {
    const Receiver receiver(name);
    auto manager = ServiceManager::from_environment();
    REQUIRE(manager);
    CHECK(std::getenv("NOTIFY_SOCKET") == nullptr);
    manager->ready("2 processes", 0, second_ns);
    CHECK(receiver.next() == "READY=1\nSTATUS=2 processes");
    manager->alive("2 processes", 20 * second_ns, second_ns);
    CHECK(receiver.next().empty());  // nothing new, and no watchdog
    manager->stopping("bye");
    CHECK(receiver.next() == "STOPPING=1\nSTATUS=bye");
    CHECK(receiver.next().empty());
  }
}

TEST_CASE("the watchdog is fed at half its time, and not while anything is wrong") {
  const test::TemporaryFolder folder;
  const Receiver receiver(folder.path() + "/notify");
  setenv("WATCHDOG_USEC", "10000000", 1);
  setenv("WATCHDOG_PID", std::to_string(getpid()).c_str(), 1);
  auto manager = ServiceManager::from_environment();
  REQUIRE(manager);
  CHECK(std::getenv("WATCHDOG_USEC") == nullptr);
  CHECK(std::getenv("WATCHDOG_PID") == nullptr);
  manager->ready("a", 0, second_ns);
  CHECK(receiver.next() == "READY=1\nSTATUS=a");
  std::vector<int> fed;
  for (int at = 1; at <= 20; at++) {
    manager->alive("a", at * second_ns, second_ns);
    if (receiver.next() == "WATCHDOG=1") fed.push_back(at);
  }
  CHECK(fed == std::vector<int>{5, 10, 15, 20});
  manager->troubled("no space");
  CHECK(receiver.next() == "STATUS=no space");
  manager->troubled("no space");
  CHECK(receiver.next().empty());
  manager->alive("a", 40 * second_ns, second_ns);
  CHECK(receiver.next() == "WATCHDOG=1\nSTATUS=a");
}

TEST_CASE("a delay longer than the watchdog's time moves the watchdog") {
  const test::TemporaryFolder folder;
  const Receiver receiver(folder.path() + "/notify");
  setenv("WATCHDOG_USEC", "10000000", 1);
  auto manager = ServiceManager::from_environment();
  REQUIRE(manager);
  manager->ready("a", 0, 60 * second_ns);
  CHECK(receiver.next() == "READY=1\nSTATUS=a\nWATCHDOG_USEC=240000000");
  manager->alive("a", 60 * second_ns, 60 * second_ns);
  CHECK(receiver.next().empty());
  manager->alive("a", 120 * second_ns, 60 * second_ns);
  CHECK(receiver.next() == "WATCHDOG=1");
}

TEST_CASE("somebody else's watchdog is not ours") {
  const test::TemporaryFolder folder;
  const Receiver receiver(folder.path() + "/notify");
  setenv("WATCHDOG_USEC", "10000000", 1);
  setenv("WATCHDOG_PID", "1", 1);
  auto manager = ServiceManager::from_environment();
  REQUIRE(manager);
  manager->ready("a", 0, second_ns);
  CHECK(receiver.next() == "READY=1\nSTATUS=a");
  manager->alive("a", 100 * second_ns, second_ns);
  CHECK(receiver.next().empty());
}

TEST_CASE("without a service manager nobody is told, and a name that cannot be one is refused") {
  unsetenv("NOTIFY_SOCKET");
  auto nobody = ServiceManager::from_environment();
  REQUIRE(nobody);
  nobody->ready("a", 0, second_ns);
  for (const std::string& name : {std::string("vsock:2:1234"), std::string("@"), "/" + std::string(200, 'x')}) {
    setenv("NOTIFY_SOCKET", name.c_str(), 1);
    const auto refused = ServiceManager::from_environment();
    REQUIRE_FALSE(refused);
    CHECK(refused.error().message == "NOTIFY_SOCKET=" + name + ": no socket of this machine");
  }
}

}  // namespace asyncleak::cli
