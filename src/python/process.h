// What a process on this machine is: which files it has mapped that matter to us.
//
// Used by src/probe (discovery), src/census (memory_map.cpp), src/cli. Reads /proc only; never the target's memory.
// Other mount namespaces are reached through /proc/PID/root and map_files, so a deleted or
// upgraded file is still the inode the process runs.
#pragma once

#include "elf/image.h"
#include "util/result.h"

#include <sys/types.h>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace asyncleak::python {

struct Mapping;

struct FileId {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  auto operator<=>(const FileId&) const = default;  // NOLINT(modernize-use-nullptr): clang-tidy 14 on the literal 0
};

// A file as one process maps it.
struct MappedFile {
  FileId id;
  std::string path;          // as the process sees it, without " (deleted)"
  std::string open_path;     // how we open the same inode: /proc/PID/map_files/... or /proc/PID/root/...
  std::uint64_t start = 0;   // address of its first executable mapping
  std::uint64_t offset = 0;  // file offset mapped there
  bool deleted = false;
};

// Where a process runs that is not simply on this machine. Empty: not known, or not so.
struct ContainerInfo {
  std::string runtime;        // "docker", "containerd", ... by the cgroup path
  std::string pod_uid;        // of Kubernetes, by the cgroup path
  std::string pod;            // its host name, which Kubernetes makes from its name; the target could lie
  std::string pod_namespace;  // by the service account's file
  std::optional<pid_t> pid;   // in the innermost PID namespace, where that is not ours
};

// Static description; what top calls a process.
struct ProcessInfo {
  pid_t pid = 0;
  std::string comm;
  std::string cmdline;  // arguments joined by spaces, control characters replaced, cut after 64 KiB
  std::string exe;
  std::uint64_t start_ticks = 0;  // /proc/PID/stat field 22: tells PID reuse
  uid_t uid = 0;
  // From here on by add_names() of process_names.h.
  std::string unit;       // systemd unit from the cgroup path; empty: none
  std::string container;  // container id (12 hex digits) or name from the cgroup path; empty: none
  ContainerInfo inside;
  std::int64_t started_wall_ns = 0;  // start_ticks as Unix time; moves when the clock is set
};

// The images of a process that matter.
struct PythonImages {
  std::optional<MappedFile> core;     // holds _PyRuntime: the executable or libpython
  std::optional<MappedFile> asyncio;  // holds the task functions: _asyncio*.so; absent: not imported yet
  bool might_be_builtin = false;      // core itself may hold _asyncio (ask elf::has_task_type)
};

[[nodiscard]] std::vector<pid_t> list_processes();
// The text of /proc/PID/NAME, cut after MOST_BYTES. Error kinds as below.
[[nodiscard]] Result<std::string> read_proc(pid_t pid, std::string_view name,
                                            std::size_t most_bytes = std::numeric_limits<std::size_t>::max());
// Error kinds: unobservable with "no such process" or "permission denied".
[[nodiscard]] Result<ProcessInfo> read_process(pid_t pid);
// The file behind a mapping of PID. Error: only its path is left, and that leads to another file.
[[nodiscard]] Result<MappedFile> file_of(pid_t pid, const Mapping& mapping);
// What PID runs, as /proc/PID/exe has it, without " (deleted)".
[[nodiscard]] Result<std::string> read_exe(pid_t pid);
// Known by names alone, no file is opened: core is a mapped libpython3.N.so, or else the executable when it is
// called python*, or has _asyncio, an extension module or a file of the standard library mapped. A program with the
// interpreter linked in statically and nothing of the kind mapped (a frozen binary) is not found.
// core absent = not CPython. Kernel threads and processes that are gone give an empty result / error.
[[nodiscard]] Result<PythonImages> find_images(pid_t pid);
// By its mappings, whether or not those files can be reached.
[[nodiscard]] bool maps_an_interpreter(pid_t pid);
// Run-time minus link-time addresses of a mapped image; 0 for a fixed-address executable.
[[nodiscard]] std::uint64_t load_bias(std::span<const elf::Segment> segments, const MappedFile& file);
// How much memory a process has mapped, and how much of it is resident.
struct MemorySizes {
  std::uint64_t mapped_bytes = 0, resident_bytes = 0;
};

// From /proc/PID/statm; nullopt when it is gone.
[[nodiscard]] std::optional<MemorySizes> memory_sizes(pid_t pid);
// True when a file name looks like an interpreter or its asyncio module; used on mmap events.
[[nodiscard]] bool is_python_file(const std::string& path);
[[nodiscard]] bool is_asyncio_file(const std::string& path);

}  // namespace asyncleak::python
