#include "probe/slow_steps.h"

#include <catch2/catch.hpp>

namespace asyncleak::probe {

TEST_CASE("where the stack of a thread is, by /proc/PID/task/TID/syscall") {
  // In time.sleep() of CPython 3.11 on Linux 6.18: clock_nanosleep.
  CHECK(stack_pointer_in("230 0x1 0x1 0x7ffc1a4b5a10 0x0 0x0 0x0 0x7ffc1a4b59e0 0x7f9b2a8e8545\n") == 0x7ffc1a4b59e0);
  CHECK(stack_pointer_in("-1 0x7ffc1a4b59e0 0x7f9b2a8e8545\n") == 0x7ffc1a4b59e0);  // blocked, in no system call
  CHECK_FALSE(stack_pointer_in("running\n"));
  CHECK_FALSE(stack_pointer_in(""));
  CHECK_FALSE(stack_pointer_in(" "));
  CHECK_FALSE(stack_pointer_in("1 2"));
  CHECK_FALSE(stack_pointer_in("0x1 0xzz 0x2"));
}

}  // namespace asyncleak::probe
