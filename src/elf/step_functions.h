// Where a task's steps begin in an image with the task functions: what the event loop calls to run a task once.
//
// Used by src/probe (memory plan): which task runs on a thread is known between a step's begin and its return.
// Modules/_asynciomodule.c, 3.8 to 3.15: tp_call of TaskStepMethWrapper; wake-ups go through tp_call of
// TaskWakeupMethWrapper (3.8, 3.9) or the method "task_wakeup" (3.10+), with the task itself as self.
#pragma once

#include "elf/image.h"
#include "elf/placement.h"
#include "util/result.h"

#include <cstdint>

namespace asyncleak::elf {

struct StepFunction {
  std::uint64_t vaddr = 0;
  Placement place;                // arguments: self
  std::uint32_t task_offset = 0;  // of the task's address in self, a wrapper object; 0: self is the task
};

struct StepFunctions {
  StepFunction step;    // the first run and every one without a result to wait for
  StepFunction wakeup;  // when what it waited for is done
};

[[nodiscard]] Result<StepFunctions> find_step_functions(const Image& image);

}  // namespace asyncleak::elf
