// The loaded BPF programs and their maps, for as long as this object lives. When it (or the
// process) dies the kernel removes every probe: nothing is pinned.
//
// Used by the rest of this folder. Only session.cpp, memory_session.cpp, attachment.cpp and task_records.cpp call
// libbpf.
#pragma once

#include "asyncleak.h"
#include "probe/attachment.h"
#include "util/result.h"

#include <sys/types.h>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace asyncleak::probe {

struct SessionOptions {
  std::uint32_t stack_depth = 8;
  std::uint32_t max_tasks = 1U << 20;  // outstanding, on the whole machine
  std::uint32_t max_sites = 8192;
  bool only_watched = false;  // count only processes given to watch() and their descendants
  std::uint32_t max_blocks =
      1U << 20;  // allocations not freed, on the whole machine; room is taken with the first mode
};

class MemorySession;

enum class Program { task_init, task_dealloc, unawaited_warning, calibrate };

struct ProbePoint {
  Program program;
  std::uint64_t file_offset;
  bool at_return = false;
};

// What task_records.cpp runs; valid as long as the session.
struct RecordPrograms {
  int open_process = -1, set_seeding = -1, seed_tasks = -1, sites_of_tasks = -1;
  al_batch* batch = nullptr;  // shared with the kernel
};

class Session {
 public:
  // Opens, sizes, loads (verifier) and attaches the process tracepoints.
  [[nodiscard]] static Result<Session> make(const SessionOptions& options);
  Session(Session&&) noexcept;
  ~Session();

  [[nodiscard]] Result<void> set_core(std::uint32_t core, const al_layout& layout);
  [[nodiscard]] Result<void> set_binary(std::uint32_t cookie, const al_binary& binary);
  // PID -1: every process that maps the file, now or later.
  [[nodiscard]] Result<Attachment> attach(const std::string& path, const std::vector<ProbePoint>& points,
                                          std::uint32_t cookie, pid_t pid);
  [[nodiscard]] Result<void> watch(pid_t pid);
  // Whether events of the process are counted (SessionOptions::only_watched).
  [[nodiscard]] bool watches(pid_t pid) const;

  [[nodiscard]] const SessionOptions& options() const;
  // Sites 1..sites_used() by id. No system call: the counters are in memory shared with the
  // kernel; a site's belong to one moment.
  [[nodiscard]] std::uint32_t sites_used() const;
  [[nodiscard]] bool site_ready(std::uint32_t id) const;
  [[nodiscard]] al_site site(std::uint32_t id) const;
  [[nodiscard]] std::optional<al_origin> origin(std::uint32_t site) const;
  [[nodiscard]] std::optional<al_code> code(const al_code_key& key) const;
  [[nodiscard]] std::vector<std::pair<pid_t, al_process>> processes() const;
  [[nodiscard]] std::optional<std::int64_t> last_exec_ns(pid_t pid) const;  // CLOCK_MONOTONIC
  [[nodiscard]] std::array<std::uint64_t, AL_COUNTERS> counters() const;    // summed over CPUs

  [[nodiscard]] RecordPrograms record_programs() const;
  // Makes the site of SITE.key, ready to be counted at, or finds it: then SITE and ORIGIN change nothing.
  [[nodiscard]] Result<std::uint32_t> add_site(const al_site& site, const al_origin& origin);
  [[nodiscard]] Result<void> add_code(const al_code_key& key, const al_code& code);
  // Of a process that is no more: removes what open_process made too late to be removed at its exit.
  void drop_process(pid_t pid, std::uint32_t process);

  // The memory modes on top of this session, loaded when first asked for.
  [[nodiscard]] Result<MemorySession*> open_memory();
  [[nodiscard]] MemorySession* memory() const;  // null: not asked for
  // The step probes alone (--slow-step), beside it: the tables of the memory modes are large.
  [[nodiscard]] Result<MemorySession*> open_steps();
  // Of both those that are open.
  [[nodiscard]] std::vector<const MemorySession*> step_sessions() const;
  // What they counted of a process that is not counted any more.
  void forget_allocations(std::uint32_t process);

  // Forgets a process that ended: its task records, names and sites; their ids are used again.
  [[nodiscard]] Result<void> purge(std::uint32_t process);

 private:
  struct State;
  explicit Session(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace asyncleak::probe
