// A process whose allocations are counted: threads of it call functions that have probes on them. The language of the
// tests of memory.bpf.h, as machine.h is of those of task.bpf.h.
#pragma once

#include <functional>
#include <initializer_list>
#include <string>
#include <vector>

#include "machine.h"

namespace asyncleak::fake {

using Body = std::function<void()>;

// What is charged to a site, or what all sites have together: allocated and not freed.
struct Balance {
  std::uint64_t bytes = 0, blocks = 0;
  bool operator==(const Balance&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Balance& balance);

// The machine, and one process in it that user space counts. It runs main() <- serve(); no task exists.
class Counted {
 public:
  static constexpr std::uint32_t tgid = 100, index = 7;  // of `memories`
  static constexpr std::uint32_t task_coro = 0x58;       // in a task
  static constexpr std::uint32_t task_offset = 0x10;     // of the task in a wrapper object

  explicit Counted(const python::LayoutRow& row, std::uint32_t buckets = 64);

  [[nodiscard]] static al_memory& memory();
  [[nodiscard]] std::uint32_t id() const { return id_; }
  // Another al_process.id from here on, as after very many processes.
  void set_id(std::uint32_t id);

  // A Task object that no probe has seen; one that a probe saw created. NAME: of the coroutine function.
  Address older_task(const std::u32string& name);
  Address new_task(const std::u32string& name);
  [[nodiscard]] Address wrapper(Address task);
  [[nodiscard]] Address function(const std::u32string& name);
  // The main thread's Python stack from here on, outermost first; APART: not on the data stack, which is what 3.11+
  // does for generators. Returns the innermost frame.
  Address run_python(const std::vector<Address>& codes, bool apart = true);

  // By the name it has; empty: outside the event loop. 0: there is none.
  [[nodiscard]] static std::uint32_t site(const std::u32string& name);
  [[nodiscard]] static Balance balance(const std::u32string& name) { return balance(site(name)); }
  [[nodiscard]] static Balance balance(std::uint32_t site);
  [[nodiscard]] static al_site_memory& counters(std::uint32_t site);
  [[nodiscard]] static Balance total();
  // Records of blocks.
  [[nodiscard]] static std::vector<al_allocation> records();
  // Records, sites, ages and lines agree.
  static void check_sound();

  Machine machine;
  Process& process;
  Address true_object = 0;

 private:
  std::uint32_t id_ = 0;
};

// A thread of the counted process; its stack grows downwards with every call.
class Caller {
 public:
  explicit Caller(const Counted& counted) : Caller(counted, Counted::tgid) {}
  Caller(const Counted& counted, std::uint32_t tid);

  // FUNCTION begins with these arguments, runs BODY and returns RESULT.
  void call(al_call function, std::initializer_list<std::uint64_t> arguments, std::uint64_t result,
            const Body& body = {});
  void enter(al_call function, std::initializer_list<std::uint64_t> arguments);
  void leave(al_call function, std::uint64_t result = 0);
  // It returns, and the kernel does not notice.
  void leave_unseen() { sp_ += frame; }
  // A place inside a function that has been called, with these in its registers.
  void pass(al_call place, std::initializer_list<std::uint64_t> registers);
  // The function jumps to another one, which returns for it.
  void jump(al_call function, std::initializer_list<std::uint64_t> arguments);

  void malloc(std::uint64_t size, Address result) { call(AL_CALL_MALLOC, {size}, result); }
  void realloc(Address old, std::uint64_t size, Address result) { call(AL_CALL_REALLOC, {old, size}, result); }
  void free(Address address) { pass(AL_CALL_FREE, {address}); }
  void step(Address task, const Body& body) { call(AL_CALL_STEP, {task}, 0, body); }

  // On this thread from here on.
  void run() const { kernel().current = {process_.tgid, tid_, pthread_, process_.memory.get()}; }
  void set_tid(std::uint32_t tid) { tid_ = tid; }

  // Of a step's wrapper: where the task is in it; 0: it is the task.
  std::uint32_t step_offset = 0;
  bool object = false;  // the functions are those of Python's own allocator
  // What a call takes of the stack.
  std::uint64_t frame = 0x80;

 private:
  void fire(int (*program)(void*), al_call function, std::initializer_list<std::uint64_t> arguments,
            std::uint64_t result, std::uint64_t sp) const;

  const Process& process_;
  std::uint32_t tid_;
  std::uint64_t pthread_;
  std::uint64_t sp_;
};

}  // namespace asyncleak::fake
