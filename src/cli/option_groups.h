// Which options a command has, group by group, and what each takes.
//
// Used by options.cpp, which makes commands of them; CLI11 stays in these two files.
#pragma once

#include "cli/options.h"

#include <CLI/CLI.hpp>

namespace asyncleak::cli {

void add_view_options(CLI::App& app, Options& options);   // of what shows one report after the other
void add_watch_options(CLI::App& app, Options& options);  // of what looks at processes
void add_inspect_options(CLI::App& app, Options& options);
void add_replay_options(CLI::App& app, Options& options);
void add_diff_options(CLI::App& app, Options& options);

}  // namespace asyncleak::cli
