// The BPF programs and maps of the memory modes, on top of a Session whose other maps they share. Loaded when a
// mode is first switched on; with --memory objects nothing of this exists. The step probes alone, for --slow-step, are
// another one of these, with tables of no size.
//
// Used by session.cpp (makes it), src/live (memory modes), slow_steps.cpp and map_reader.cpp. Knows maps, not
// processes.
#pragma once

#include "asyncleak_memory.h"
#include "probe/attachment.h"
#include "util/result.h"

#include <sys/types.h>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

struct asyncleak_bpf;

namespace asyncleak::probe {

struct SessionOptions;

// A uprobe program of the memory modes; memory_session.cpp lists them in this order.
enum class MemoryProgram {
  allocating,
  allocated,
  passing_malloc,
  freeing,
  step_entered,
  eager_step_entered,
  step_left
};

struct MemoryProbe {
  MemoryProgram program = MemoryProgram::allocating;
  std::uint64_t file_offset = 0;
  al_memory_cookie cookie{};  // its memory index is filled in by attach()
  bool at_return = false;     // of the call that passes file_offset with its return address on top of the stack
};

// A thread that runs a task, of a process whose steps are measured.
struct ThreadSteps {
  std::uint32_t tgid = 0, tid = 0;
  std::uint64_t slow_step_ns = 0;
  al_thread_steps steps{};
};

// Of a skeleton that is opened and not loaded: nothing of the memory modes.
void leave_out_memory(asyncleak_bpf& skeleton);

class MemorySession {
 public:
  enum class Use { allocations, steps };
  [[nodiscard]] static Result<std::unique_ptr<MemorySession>> make(const SessionOptions& options, Use use,
                                                                   const asyncleak_bpf& first);
  MemorySession(const MemorySession&) = delete;
  MemorySession& operator=(const MemorySession&) = delete;
  ~MemorySession();

  [[nodiscard]] bool has_room() const;  // for another process
  // A place for a process whose allocations shall be counted; then attach() its probes. From here on an exec of it
  // sets al_memory.process to 0.
  [[nodiscard]] Result<std::uint16_t> add(const al_memory& memory);
  [[nodiscard]] Result<Attachment> attach(std::uint16_t memory, const std::string& path,
                                          std::vector<MemoryProbe> probes, pid_t pid);
  // After its probes are gone. What it counted stays until forget() and clear_site().
  void remove(std::uint16_t memory);

  [[nodiscard]] al_memory memory(std::uint16_t index) const;
  [[nodiscard]] std::vector<al_memory> counted() const;  // the processes now
  // No system call, as Session::site.
  [[nodiscard]] al_site_memory site(std::uint32_t id) const;
  [[nodiscard]] std::uint32_t lines_used() const;
  [[nodiscard]] al_line line(std::uint32_t index) const;

  [[nodiscard]] std::vector<ThreadSteps> threads_in_steps() const;

  // Blocks, lines and threads of a process that ended or is not counted any more.
  void forget(std::uint32_t process);
  void clear_site(std::uint32_t id);

 private:
  struct State;
  explicit MemorySession(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace asyncleak::probe
