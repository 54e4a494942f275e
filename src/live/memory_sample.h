// What a process's memory is used for, as the sample says it.
//
// Used by process_census.cpp and inspector.cpp.
#pragma once

#include "census/pymalloc.h"
#include "live/process_reader.h"
#include "sample/sample.h"

#include <optional>

namespace asyncleak::live {

// VARIABLES: found once per process, kept by the caller. nullopt: the process is gone.
[[nodiscard]] std::optional<MemorySample> read_memory(const ProcessReader& reader, census::ArenaVariables& variables);

}  // namespace asyncleak::live
