// The part of `doctor` that says which allocations of a process --memory can count, and where its probes would be.
//
// Used by doctor.cpp.
#pragma once

#include "probe/catalog.h"

#include <cstdio>

namespace asyncleak::cli {

// PROCESS runs an interpreter that is understood.
void describe_memory(std::FILE* out, const probe::KnownProcess& process);

}  // namespace asyncleak::cli
