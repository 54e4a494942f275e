// Which interpreter a command line will start, found without starting it: so that `run` can
// attach before the first task.
//
// Used by run.cpp. Best effort: what it cannot tell is found when the process maps it.
#pragma once

#include <optional>
#include <string>

namespace asyncleak::cli {

// The ELF executable that NAME ends up running: PATH search, then "#!" lines (also through
// /usr/bin/env), then symbolic links. nullopt: nothing executable.
[[nodiscard]] std::optional<std::string> interpreter_of(const std::string& name);

}  // namespace asyncleak::cli
