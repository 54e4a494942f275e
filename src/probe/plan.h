// Which probes an image needs and where they go. Pure: an image in, a plan out.
//
// Used by catalog.cpp and `doctor`. Knows nothing of libbpf.
#pragma once

#include "asyncleak.h"
#include "elf/image.h"
#include "elf/placement.h"
#include "elf/task_functions.h"
#include "python/object_layout.h"
#include "util/result.h"

#include <string>

namespace asyncleak::probe {

struct ProbePlan {
  elf::TaskFunctions functions;
  elf::Placement init;     // arguments: self, args, kwds
  elf::Placement dealloc;  // arguments: self
};

// PATH and ROOT say where a separate debug file may be (elf/symbols.h).
[[nodiscard]] Result<ProbePlan> plan_probes(const elf::Image& image, const std::string& path, const std::string& root);

// The registers of the plan as the kernel side wants them; cores are left to the caller.
[[nodiscard]] al_binary wire_binary(const ProbePlan& plan);
// Whether a task that is destroyed had finished is to be read from it.
void add_task_state(al_binary& binary, const python::ObjectLayout& objects);

}  // namespace asyncleak::probe
