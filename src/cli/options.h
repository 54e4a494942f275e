// The command line, parsed: passive values, checked for what can be checked before looking at a
// process.
//
// Used by main.cpp and the commands in this folder. CLI11 stays in options.cpp and option_groups.cpp. Names and
// defaults are the contract of DESIGN.md section 2; man/asyncleak-top.8 and README.md list the same (a
// test compares).
#pragma once

#include "model/model.h"
#include "model/report.h"
#include "sample/allocations.h"
#include "sample/inspection.h"

#include <sys/types.h>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace asyncleak::cli {

enum class Command { live, run, inspect, replay, diff, doctor };
enum class Format { automatic, batch, json, quiet };    // automatic: the screen on a terminal, else batch
enum class FailOn { automatic, leak, warning, never };  // automatic: never, but leak for `run`

// Where an exit summary goes, and how.
struct SummaryOutput {
  std::string format;  // "table", "json", "junit", "github", "none"
  std::string file;    // empty: stderr
};

// Which findings --fail-on passes over.
struct GateOptions {
  FailOn fail_on = FailOn::automatic;
  std::vector<std::string> allow;  // fnmatch(3) patterns of coroutines
  std::string allow_file;
  double min_confidence_percent = 0;
};

struct Options {
  Command command = Command::live;
  std::vector<pid_t> pids;
  std::string comm;
  double delay_s = 1;
  std::optional<std::uint64_t> iterations;
  Format format = Format::automatic;
  std::string sort = "growth";
  std::size_t limit = 0;  // of sites; 0: what fits; all in batch and JSON
  std::uint32_t stack_depth = 8;
  std::uint32_t max_tasks = 1U << 20;
  std::uint32_t max_sites = 8192;
  std::string prom_textfile;
  double census_budget_percent = 5;  // of one core; 0: no census
  MemoryMode memory = MemoryMode::objects;
  bool memory_lines = false;
  std::uint64_t min_size = 0;            // bytes: smaller allocations are not counted
  std::uint32_t max_blocks = 1U << 20;   // allocations followed to their end, on the whole machine
  double overhead_limit_percent = 50;    // of one core and one process: above it the mode is taken back
  std::string record;                    // file; empty: none
  std::uint64_t record_limit = 0;        // bytes; 0: none
  std::string label;                     // of the first sample
  std::optional<double> duration_s;      // ends by itself, and ends the command of `run`
  std::optional<double> slow_step_ms;    // nullopt: steps are not measured
  std::vector<SummaryOutput> summaries;  // empty: a table
  GateOptions gate;
  Policy policy;
  bool color = true;
  bool verbose = false;
  InspectRequest inspect;            // `inspect`; its process is in pids, too
  std::vector<std::string> program;  // `run`: what stands after "--"
  std::vector<std::string> files;    // `replay` (one), `diff` (one or two)
  std::optional<double> speed;  // `replay`: times real time; 0: as fast as possible; nullopt: 1 on a screen, else 0
  std::string from, to;         // `replay`, `diff`: see find_moment()
};

// What is to be done, or the exit status when parsing has said all there is to say: --help and
// --version (0), a wrong command line (2, one line on stderr).
[[nodiscard]] std::variant<Options, int> parse_options(int argc, char** argv);

}  // namespace asyncleak::cli
