// The clocks the kernel side and /proc speak in. Header only.
#pragma once

#include <cstdint>
#include <ctime>

namespace asyncleak::probe {

[[nodiscard]] inline std::int64_t clock_ns(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

// bpf_ktime_get_ns() is CLOCK_MONOTONIC.
[[nodiscard]] inline std::int64_t monotonic_ns() { return clock_ns(CLOCK_MONOTONIC); }

}  // namespace asyncleak::probe
