// Which probes the memory modes need in an image and where they go. Pure: what was found in, a plan out.
//
// Used by src/live (memory modes) and `doctor`. Knows nothing of libbpf.
#pragma once

#include "elf/c_allocator.h"
#include "elf/image.h"
#include "elf/object_allocator.h"
#include "elf/step_functions.h"
#include "probe/memory_session.h"
#include "util/result.h"

#include <string>
#include <vector>

namespace asyncleak::probe {

struct MemoryPlan {
  std::vector<MemoryProbe> probes;
  std::string allocator{};  // whose functions they are on: CAllocator::kind; empty: no C allocator's
};

// The C library's functions, or those of what replaces it.
[[nodiscard]] Result<MemoryPlan> plan_c_allocator(const elf::Image& image);
// Python's own allocator. Error: its calls cannot be counted here, and why.
[[nodiscard]] Result<MemoryPlan> plan_object_allocator(const elf::Image& core);
// The steps of tasks, and Task.__init__ where that may run the first one.
[[nodiscard]] Result<MemoryPlan> plan_steps(const elf::Image& asyncio, const elf::Placement& task_init);

}  // namespace asyncleak::probe
