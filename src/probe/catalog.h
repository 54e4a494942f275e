// The Python processes of this machine and the images they run, and the probes on those.
//
// Used by src/live, map_reader.cpp and `doctor`. Looks at a process once; images are
// known by (device, inode, size, modification time), so a hundred processes of one
// interpreter cost one look at the file. Knows files and /proc; what is counted it does not.
#pragma once

#include "elf/placement.h"
#include "elf/task_fields.h"
#include "probe/open_image.h"
#include "probe/plan.h"
#include "probe/session.h"
#include "python/interpreter.h"
#include "python/object_layout.h"
#include "python/process.h"
#include "util/result.h"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace asyncleak::probe {

struct Scope {
  std::vector<pid_t> pids;  // empty: the whole machine
  std::string comm_glob;    // fnmatch(3) pattern; empty: every name
};

// Probes in place.
struct Attached {
  Attachment probes;
  std::int64_t since_ns = 0;  // CLOCK_MONOTONIC
};
struct Attachments {
  std::optional<Attached> everywhere{};  // system-wide
  std::map<pid_t, Attached> per_process{};
  // CLOCK_MONOTONIC; nullopt: PID is not watched.
  [[nodiscard]] std::optional<std::int64_t> since_ns(pid_t pid) const;
};

// An image with _PyRuntime.
struct Core {
  std::uint32_t index = 0;
  std::int64_t used_ns = 0;  // CLOCK_MONOTONIC: when a process that runs it was last there
  std::string path;
  std::string build_id;
  bool has_task_type = false;
  std::vector<elf::Segment> segments;
  Result<python::Interpreter> interpreter;  // an error: refused, and why
  bool checked_live = false;
  int failed_checks = 0;
  Result<std::vector<elf::Placement>> warnings = fail("not looked for");  // where it warns of never-awaited coroutines
  Attachments warning_probes{};
};

// An image with the task functions.
struct Binary {
  std::uint32_t cookie = 0;
  std::string path;
  std::string build_id;
  Result<ProbePlan> plan;
  elf::TaskFields task_fields{};
  std::vector<std::uint32_t> cores{};
  Attachments probes{};
  std::string attach_error{};
  bool tells_pending = false;  // whether a destroyed task had finished is known
  [[nodiscard]] std::optional<std::int64_t> attached_since_ns(pid_t pid) const { return probes.since_ns(pid); }
};

struct KnownProcess {
  python::ProcessInfo info;
  const Core* core = nullptr;
  const Binary* binary = nullptr;  // absent: no asyncio yet, or refused
  std::uint64_t bias = 0;
  // What the census reads by: the core's row, checked against the asyncio image this process runs.
  Result<python::ObjectLayout> objects = fail(python::unknown_objects());
  std::int64_t looked_ns = 0;    // CLOCK_MONOTONIC
  bool from_first_task = false;  // attached while asyncio was not yet mapped
  bool out_of_reach = false;     // it maps an interpreter whose file cannot be read; the warning says why
  std::vector<std::string> warnings{};
  // The probes are in place, and what is read by has not been refused.
  [[nodiscard]] bool is_watched() const { return binary != nullptr && core != nullptr && core->interpreter; }
};

class Catalog {
 public:
  // SESSION outlives the catalog; null: look, do not attach (doctor).
  Catalog(Session* session, Scope scope);
  Catalog(const Catalog&) = delete;
  Catalog& operator=(const Catalog&) = delete;
  ~Catalog();

  // Looks at processes not seen before or that called exec since, and forgets those that ended.
  // AGAIN: at all, for mapping events that were lost; and lets go of images that nobody has run for ten minutes.
  void scan(bool again);
  // Looks at one, again if need be. unobservable with the reason when it cannot be watched.
  Result<void> consider(pid_t pid);
  // The same for a process asked for by name: what cannot be counted is an error.
  Result<void> require(pid_t pid);
  // Attaches to an installation before any process of it runs, so that the first task is seen.
  Result<void> prepare(const std::string& executable);
  // Lets go of images that no process has run since OLDEST_NS (CLOCK_MONOTONIC), their probes included: a machine
  // that gets a new image with each deploy must not run out of their numbers.
  void release_unused(std::int64_t oldest_ns);
  // Checks layouts against living processes; detaches what does not fit.
  void check_layouts();

  [[nodiscard]] const std::map<pid_t, KnownProcess>& processes() const { return processes_; }
  [[nodiscard]] const std::map<ImageKey, Core>& cores() const { return cores_; }
  [[nodiscard]] const std::map<ImageKey, Binary>& binaries() const { return binaries_; }
  [[nodiscard]] const Core* core(std::uint32_t index) const;

 private:
  [[nodiscard]] bool replaced_itself(pid_t pid) const;
  void refuse(Core& core, const Error& contradiction);
  [[nodiscard]] bool in_scope(const python::ProcessInfo& info) const;
  Result<Core*> register_core(const python::MappedFile& file);
  Result<Binary*> register_binary(const python::MappedFile& file, const Core& core, const std::string& root);
  struct Wanted {
    Program program;
    const elf::Placement& place;
  };
  Result<void> attach(Attachments& to, const std::string& path, const std::vector<Wanted>& wanted, std::uint32_t cookie,
                      pid_t pid);
  [[nodiscard]] std::optional<python::ObjectLayout> task_objects(const Binary& binary) const;
  void attach_warnings(Core& core, const python::MappedFile& file, pid_t pid);
  void detach(pid_t pid);
  Result<void> look(pid_t pid, KnownProcess& process);
  Result<void> look_ahead(const python::MappedFile& core_file, KnownProcess& process);
  Result<Binary*> register_and_attach(const python::MappedFile& file, const Core& core, pid_t pid);

  Session* session_;
  Scope scope_;
  std::map<pid_t, KnownProcess> processes_;
  std::set<pid_t> others_;  // looked at: not Python or not in scope
  std::map<ImageKey, Core> cores_;
  std::map<ImageKey, Binary> binaries_;
};

}  // namespace asyncleak::probe
