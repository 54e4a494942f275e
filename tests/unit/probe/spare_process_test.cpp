#include "probe/spare_process.h"

#include "in_child.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>
#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <csignal>
#include <string>

namespace asyncleak::probe {
namespace {

// The next byte; 0: the end, -1: nothing within the time.
int next(int pipe, int milliseconds) {
  pollfd readable{pipe, POLLIN, 0};
  if (poll(&readable, 1, milliseconds) <= 0) return -1;
  char byte = 0;
  return read(pipe, &byte, 1) == 1 ? byte : 0;
}

}  // namespace

TEST_CASE("work is done by somebody else, in our memory and with our files") {
  pid_t who = 0, session = 0;
  int opened = -1;
  in_spare_processes(1, [&] {
    who = getpid();
    session = getsid(0);
    opened = open("/dev/null", O_RDONLY | O_CLOEXEC);
  });
  CHECK(who > 0);
  CHECK(who != getpid());
  CHECK(session == who);
  CHECK(close(opened) == 0);
  CHECK(waitpid(-1, nullptr, __WALL | WNOHANG) == -1);
}

TEST_CASE("many work at once") {
  std::atomic<int> begun = 0;
  in_spare_processes(20, [&] {
    ++begun;
    while (begun < 20) usleep(1000);
  });
  CHECK(begun == 20);
}

TEST_CASE("kill -9 does not cut it short, and what was open is closed when it has ended") {
  std::array<int, 2> pipe_ends{}, held{}, go{};
  REQUIRE(pipe2(pipe_ends.data(), O_CLOEXEC) == 0);
  REQUIRE(pipe2(go.data(), O_CLOEXEC) == 0);
  REQUIRE(pipe2(held.data(), O_CLOEXEC) == 0);
  const pid_t user = fork();
  if (user == 0) {
    in_spare_processes(1, [&] {
      const bool told = write(pipe_ends[1], "b", 1) == 1 && next(go[0], 10'000) == 'g';
      _exit(told && write(pipe_ends[1], "e", 1) == 1 ? 0 : 1);
    });
    _exit(2);
  }
  close(pipe_ends[1]);
  close(held[1]);
  CHECK(next(pipe_ends[0], 10'000) == 'b');
  REQUIRE(kill(user, SIGKILL) == 0);
  int status = 0;
  REQUIRE(waitpid(user, &status, 0) == user);
  CHECK(WIFSIGNALED(status));
  CHECK(next(held[0], 0) == -1);
  CHECK(write(go[1], "g", 1) == 1);
  CHECK(next(pipe_ends[0], 10'000) == 'e');
  CHECK(next(held[0], 10'000) == 0);
  close(pipe_ends[0]);
  close(held[0]);
  close(go[0]);
  close(go[1]);
}

TEST_CASE("where no process can be made it is done here") {
  CHECK(in_child([] {
          const rlimit none{0, 0};
          if (setrlimit(RLIMIT_NPROC, &none) != 0) return 1;
          if (geteuid() == 0 && setuid(65534) != 0) return 2;  // root has as many as it likes
          pid_t who = 0;
          in_spare_processes(3, [&] { who = getpid(); });
          return who == getpid() ? 0 : 3;
        }) == 0);
}

}  // namespace asyncleak::probe
