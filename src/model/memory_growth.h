// Which part of a process's memory grew, in words.
//
// Used by findings.cpp and memory_account.cpp. Pure.
#pragma once

#include "sample/sample.h"

#include <string>

namespace asyncleak {

// "+212MiB: 201MiB in the C library's heap, 6.00MiB in Python's small objects; ..." and what the largest part means;
// "" when the resident memory of NOW is not above that of BASELINE.
[[nodiscard]] std::string memory_growth(const MemorySample& baseline, const MemorySample& now);

}  // namespace asyncleak
