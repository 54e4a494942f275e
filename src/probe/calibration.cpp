#include "probe/calibration.h"

#include <link.h>
#include <algorithm>
#include <cstdint>
#include <ctime>
#include <optional>

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
    const double elapsed =
        1e9 * static_cast<double>(end.tv_sec - begin.tv_sec) + static_cast<double>(end.tv_nsec - begin.tv_nsec);
    best = std::min(best, elapsed / calls);
  }
  return best;
}

// Where our own executable, the first object dl_iterate_phdr names, has ADDRESS in its file.
struct FileOffset {
  std::uint64_t address;
  std::optional<std::uint64_t> offset;
};

int find_own_offset(dl_phdr_info* info, std::size_t /*size*/, void* out) {
  auto& wanted = *static_cast<FileOffset*>(out);
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const auto& segment = info->dlpi_phdr[i];
    const std::uint64_t start = info->dlpi_addr + segment.p_vaddr;
    if (segment.p_type == PT_LOAD && start <= wanted.address && wanted.address < start + segment.p_filesz) {
      wanted.offset = wanted.address - start + segment.p_offset;
    }
  }
  return 1;  // the other objects are not asked
}

// By a probe on the target function, or on its return.
Result<double> added_ns(Session& session, bool at_return) {
  FileOffset place{reinterpret_cast<std::uint64_t>(&asyncleak_calibration_target), std::nullopt};
  dl_iterate_phdr(find_own_offset, &place);
  if (!place.offset) return fail("measuring the cost of a uprobe: the calibration function is not in our own file");
  const double without = nanoseconds_per_call();
  auto attached = session.attach("/proc/self/exe", {{Program::calibrate, *place.offset, at_return}}, 0, 0);
  if (!attached) return fail(attached.error());
  return std::max(0.0, nanoseconds_per_call() - without);
}

}  // namespace

Result<double> measure_trap_ns(Session& session) { return added_ns(session, false); }

Result<double> measure_return_ns(Session& session) {
  const auto entry = added_ns(session, false);
  if (!entry) return fail(entry.error());
  const auto both = added_ns(session, true);
  if (!both) return fail(both.error());
  return std::max(0.0, *both - *entry);
}

}  // namespace asyncleak::probe
