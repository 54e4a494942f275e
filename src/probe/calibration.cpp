#include "probe/calibration.h"

#include "elf/image.h"

#include <algorithm>
#include <cstdint>
#include <link.h>
#include <time.h>

// A function whose first instruction the kernel emulates, as the probes of the product sit on.
extern "C" void asyncleak_calibration_target();
asm(R"(
  .text
  .p2align 4
  .globl asyncleak_calibration_target
  .type asyncleak_calibration_target, @function
asyncleak_calibration_target:
  push %rbp
  pop %rbp
  ret
  .size asyncleak_calibration_target, . - asyncleak_calibration_target
)");

namespace asyncleak::probe {

namespace {

constexpr int calls = 2000;

double nanoseconds_per_call() {
  double best = 1e18;
  for (int round = 0; round < 3; round++) {
    timespec begin{};
    timespec end{};
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (int i = 0; i < calls; i++) asyncleak_calibration_target();
    clock_gettime(CLOCK_MONOTONIC, &end);
    const double elapsed = 1e9 * static_cast<double>(end.tv_sec - begin.tv_sec) +
                           static_cast<double>(end.tv_nsec - begin.tv_nsec);
    best = std::min(best, elapsed / calls);
  }
  return best;
}

// Load bias of the running executable: the first object dl_iterate_phdr names.
std::uint64_t own_bias() {
  std::uint64_t bias = 0;
  dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t /*size*/, void* out) {
        *static_cast<std::uint64_t*>(out) = info->dlpi_addr;
        return 1;
      },
      &bias);
  return bias;
}

}  // namespace

Result<double> measure_trap_ns(Session& session) {
  auto self = elf::Image::open("/proc/self/exe");
  if (!self) return fail(self.error());
  const auto address = reinterpret_cast<std::uint64_t>(&asyncleak_calibration_target) - own_bias();
  const auto offset = self->file_offset(address);
  if (!offset) return fail("measuring the cost of a uprobe: the calibration function is not in our own file");
  const double without = nanoseconds_per_call();
  auto attached = session.attach("/proc/self/exe", {{Program::calibrate, *offset}}, 0, 0);
  if (!attached) return fail(attached.error());
  return std::max(0.0, nanoseconds_per_call() - without);
}

}  // namespace asyncleak::probe
