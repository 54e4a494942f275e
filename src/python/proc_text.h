// The text of /proc files, taken apart. Pure functions.
//
// Used by process.cpp, by whoever reads more of /proc (src/census, src/probe) and the tests (and the fuzzer: every
// byte of a path is the target's choice). Opens nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "python/process.h"

namespace asyncleak::python {

// The text before SEPARATOR, which is cut off REST together with it.
std::string_view take(std::string_view& rest, char separator);
// All of TEXT; nullopt: not a number, or too large.
[[nodiscard]] std::optional<std::uint64_t> number(std::string_view text, int base);

// One file-backed line of /proc/PID/maps.
struct Mapping {
  std::uint64_t start = 0, end = 0, offset = 0;
  FileId id;         // as the kernel prints it: on overlayfs and btrfs not what stat says
  std::string path;  // without " (deleted)"; \012 is a newline again
  bool executable = false;
  bool deleted = false;
};
// nullopt: anonymous, [heap] and the like, or not such a line.
[[nodiscard]] std::optional<Mapping> parse_mapping(std::string_view line);

// Its name under /proc/PID/map_files: without the zeros that maps pads addresses with (fs/proc/base.c, "%lx-%lx").
[[nodiscard]] std::string map_files_name(const Mapping& mapping);

// Of /proc/PID/stat.
struct ProcessStat {
  std::string comm;               // as it is: it may hold anything, parentheses too
  bool ending = false;            // its main thread may have begun to end while others live on
  std::uint64_t start_ticks = 0;  // when it began
};
[[nodiscard]] std::optional<ProcessStat> parse_stat(std::string_view text);

// The PID a process has in the innermost of its PID namespaces, from /proc/PID/status; nullopt: it is in ours.
[[nodiscard]] std::optional<pid_t> parse_inner_pid(std::string_view status);
// The value of a variable in /proc/PID/environ; empty: not there.
[[nodiscard]] std::string_view variable(std::string_view environment, std::string_view name);

// NUL-separated arguments to one printable line.
[[nodiscard]] std::string parse_cmdline(std::string_view arguments);

}  // namespace asyncleak::python
