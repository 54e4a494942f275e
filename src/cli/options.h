// The command line, parsed: passive values, checked for what can be checked before looking at a
// process.
//
// Used by main.cpp and the commands in this folder. CLI11 stays in options.cpp. Names and
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

enum class Command { live, run, inspect, doctor };
enum class Format { automatic, batch, json };           // automatic: the screen on a terminal, else batch
enum class FailOn { automatic, leak, warning, never };  // automatic: never, but leak for `run`

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
  std::uint64_t min_size = 0;           // bytes: smaller allocations are not counted
  std::uint32_t max_blocks = 1U << 20;  // allocations followed to their end, on the whole machine
  double overhead_limit_percent = 50;   // of one core and one process: above it the mode is taken back
  FailOn fail_on = FailOn::automatic;
  Policy policy;
  bool color = true;
  bool verbose = false;
  InspectRequest inspect;            // `inspect`; its process is in pids, too
  std::vector<std::string> program;  // `run`: what stands after "--"
};

// What is to be done, or the exit status when parsing has said all there is to say: --help and
// --version (0), a wrong command line (2, one line on stderr).
[[nodiscard]] std::variant<Options, int> parse_options(int argc, char** argv);

}  // namespace asyncleak::cli
