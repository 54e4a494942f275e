#include "probe/spare_process.h"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cerrno>
#include <memory>
#include <vector>

namespace asyncleak::probe {

namespace {

// libbpf formats paths and messages on it.
constexpr std::size_t stack_bytes = 262'144;

int do_work(void* work) {
  prctl(PR_SET_NAME, "asyncleak-probe", 0, 0, 0);
  setsid();
  (*static_cast<const std::function<void()>*>(work))();
  return 0;
}

// Our signals are blocked, so nothing but the end of the process wakes us.
void wait_for(pid_t process) {
  while (waitpid(process, nullptr, __WALL) < 0 && errno == EINTR) {
  }
}

}  // namespace

void in_spare_processes(std::size_t processes, const std::function<void()>& work) {
  struct Spare {
    std::unique_ptr<std::byte[]> stack;
    pid_t process;
  };
  std::vector<Spare> spares;
  spares.reserve(processes);
  while (spares.size() < processes) {
    auto stack = std::make_unique_for_overwrite<std::byte[]>(stack_bytes);
    // No signal at its end: SIGCHLD is for the command of `run`. The stack grows down.
    const int flags = CLONE_VM | CLONE_FILES;
    void* argument = const_cast<std::function<void()>*>(&work);
    const pid_t process = clone(do_work, stack.get() + stack_bytes, flags, argument);
    if (process < 0) break;
    spares.push_back({std::move(stack), process});
  }
  if (spares.empty()) work();
  for (const auto& spare : spares) wait_for(spare.process);
}

}  // namespace asyncleak::probe
