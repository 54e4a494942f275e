#include "probe/calibration.h"

#include <unistd.h>
#include <catch2/catch.hpp>

namespace asyncleak::probe {

TEST_CASE("a trap costs between fifty nanoseconds and a hundred microseconds") {
  if (geteuid() != 0 || access("/sys/kernel/btf/vmlinux", R_OK) != 0) {
    WARN("skipped: needs root and a kernel with BTF");
    return;
  }
  auto session = Session::make({});
  if (!session) FAIL(session.error().message);
  const auto cost = measure_traps(*session);
  if (!cost) FAIL(cost.error().message);
  CHECK(cost->hit_ns > 50);
  CHECK(cost->hit_ns < 100'000);
  CHECK(cost->return_ns > 20);
  CHECK(cost->return_ns < 100'000);
}

}  // namespace asyncleak::probe
