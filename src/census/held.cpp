#include "census/held.h"

#include "census/task_detail.h"

#include <cmath>
#include <vector>

namespace asyncleak::census {

// The first task's size has what all share in it; what each further one adds is its own.
HeldSample estimate_held(std::span<const std::uint64_t> some, std::uint64_t tasks, const Readers& readers,
                         std::uint64_t limit) {
  HeldSample held;
  DeepSizer sizer(&readers.objects, limit);
  double first = 0;
  std::vector<double> own;
  for (const auto task : some) {
    const auto size = held_by(task, readers, sizer);
    held.at_least |= size.cut;
    const auto bytes = static_cast<double>(size.bytes);
    if (held.measured++ == 0) {
      first = bytes;
    } else {
      own.push_back(bytes);
    }
  }
  held.bytes = first;
  if (own.empty()) {
    held.at_least |= tasks > held.measured;
    return held;
  }
  double mean = 0, squares = 0;
  for (const double bytes : own) mean += bytes / static_cast<double>(own.size());
  for (const double bytes : own) squares += (bytes - mean) * (bytes - mean);
  const auto others = static_cast<double>(tasks - 1);
  held.bytes += mean * others;
  if (tasks > held.measured && own.size() > 1) {
    const auto count = static_cast<double>(own.size());
    held.error_bytes = others * std::sqrt(squares / (count - 1) / count);
  }
  return held;
}

}  // namespace asyncleak::census
