// The text of /proc files, taken apart. Pure functions.
//
// Used by process.cpp and the tests (and the fuzzer: every byte of a path is the target's
// choice). Opens nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "python/process.h"

namespace asyncleak::python {

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

// Which service or container a process belongs to, from /proc/PID/cgroup.
struct CgroupNames {
  std::string unit;
  std::string container;
};
[[nodiscard]] CgroupNames parse_cgroup(std::string_view text);

// Field 22 of /proc/PID/stat; the name before it may hold spaces and parentheses.
[[nodiscard]] std::optional<std::uint64_t> parse_start_ticks(std::string_view stat);

// NUL-separated arguments to one printable line.
[[nodiscard]] std::string parse_cmdline(std::string_view arguments);

}  // namespace asyncleak::python
