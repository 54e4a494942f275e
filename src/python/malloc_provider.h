// Which file serves malloc in a running process: the C library, or what was preloaded or linked in its place.
//
// Used by src/probe (memory plan) and `doctor`. Asks the process itself: the word its interpreter calls malloc through.
#pragma once

#include "elf/image.h"
#include "python/process.h"
#include "util/result.h"

#include <sys/types.h>
#include <cstdint>

namespace asyncleak::python {

// CORE is the image of the interpreter that PID runs (PythonImages::core), BIAS its load_bias(). MappedFile::start and
// offset are those of the mapping that malloc is in.
[[nodiscard]] Result<MappedFile> find_malloc_provider(pid_t pid, const elf::Image& core, std::uint64_t bias);

}  // namespace asyncleak::python
