// Wiring only: the command line chooses a command.
#include "cli/diff.h"
#include "cli/doctor.h"
#include "cli/inspect.h"
#include "cli/live.h"
#include "cli/options.h"
#include "cli/replay.h"
#include "cli/run.h"

#include <fmt/format.h>
#include <exception>

int main(int argc, char** argv) {
  namespace cli = asyncleak::cli;
  try {
    const auto parsed = cli::parse_options(argc, argv);
    if (const int* status = std::get_if<int>(&parsed)) return *status;
    const auto& options = std::get<cli::Options>(parsed);
    switch (options.command) {
      case cli::Command::live:
        return cli::watch_live(options);
      case cli::Command::run:
        return cli::run_command(options);
      case cli::Command::inspect:
        return cli::inspect_process(options);
      case cli::Command::replay:
        return cli::show_recording(options);
      case cli::Command::diff:
        return cli::compare_recordings(options);
      case cli::Command::doctor:
        return cli::diagnose(options);
    }
  } catch (const std::exception& bug) {  // errors are values; what arrives here is a bug
    fmt::print(stderr, "asyncleak-top: internal error: {}\n", bug.what());
  }
  return 1;
}
