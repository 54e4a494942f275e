// `doctor`: can this machine, or process, be observed; if not, the one thing to do about it.
#pragma once

#include "cli/options.h"
#include "probe/catalog.h"

#include <cstdio>

namespace asyncleak::cli {

// Returns the exit status: 3 when something asked for cannot be observed.
[[nodiscard]] int diagnose(const Options& options);

// Each interpreter: version, where its layout comes from, which rung found the functions, where
// the probes are and what that costs. Also what --verbose prints.
void describe_interpreters(std::FILE* out, const probe::Catalog& catalog);

}  // namespace asyncleak::cli
