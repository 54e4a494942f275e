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
  const auto hit_ns = measure_trap_ns(*session);
  if (!hit_ns) FAIL(hit_ns.error().message);
  CHECK(*hit_ns > 50);
  CHECK(*hit_ns < 100'000);
  const auto return_ns = measure_return_ns(*session);
  if (!return_ns) FAIL(return_ns.error().message);
  CHECK(*return_ns > 20);
  CHECK(*return_ns < 100'000);
}

}  // namespace asyncleak::probe
