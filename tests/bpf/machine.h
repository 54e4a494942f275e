// A machine with processes that run one CPython line each, and what user space reads of them: the tests' language.
#pragma once

#include <catch2/catch.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fake_kernel.h"
#include "fake_python.h"

namespace asyncleak::fake {

constexpr std::uint64_t second = 1'000'000'000;

// One running process with a main thread whose Python stack is main() <- serve(), unless a test builds another.
struct Process {
  std::uint32_t tgid = 0;
  std::uint64_t pthread = 0;  // of the main thread; fork keeps it
  std::shared_ptr<Memory> memory;
  Python python;
  Address interpreter = 0;
  Address thread = 0;
  Address main_code = 0, serve_code = 0, serve_frame = 0;
};

struct Site {
  std::uint32_t id = 0;
  al_site site{};
  al_origin origin{};
};

class Machine {
 public:
  explicit Machine(const python::LayoutRow& row);

  // The image of all processes, as the maps and an attach cookie name it.
  [[nodiscard]] static std::uint32_t binary();
  [[nodiscard]] static std::uint32_t core();
  [[nodiscard]] static al_binary& image();

  // A process that was there before us.
  [[nodiscard]] Process& start(std::uint32_t tgid);
  // Its main thread is the current one from here on.
  static void run(const Process& process) { run(process, process.tgid, process.pthread); }
  static void run(const Process& process, std::uint32_t tid, std::uint64_t pthread);
  [[nodiscard]] static std::uint64_t pthread_of(std::uint32_t tid) { return 0x7f0000000000 + tid * 0x1000ULL; }

  // A coroutine of a new function QUALNAME.
  [[nodiscard]] static Address coroutine(Process& process, const std::u32string& qualname = U"Service.spawn");
  // Task.__init__(TASK, coro) of a process; with these arguments, and Task's deallocation, in the current thread.
  static void create(Process& process, Address task, Address coroutine);
  static void create(Process& process, Address task) { create(process, task, coroutine(process)); }
  static void init(Address task, Address args, Address kwds);
  static void destroy(Address task);
  // The interpreter warns; the register at OFFSET in struct pt_regs has OBJECT, the others hold rubbish.
  static void warn_unawaited(Process& process, Address object, std::uint16_t offset);

  // fork() of PARENT; SHARED: vfork or posix_spawn. The child is ready to run, the parent stays current.
  Process& fork(Process& parent, std::uint32_t child_tgid, bool shared = false);
  static void start_thread(const Process& process);
  static void exit(const Process& process, int threads_left = 0);
  static void exec(const Process& process);
  // The same two as the memory modes see them.
  static void memory_exec(const Process& process);
  static void memory_thread_exit(const Process& process);

  [[nodiscard]] static const al_process* process(std::uint32_t tgid);
  // The sites user space would show, of one process (id) or all.
  [[nodiscard]] static std::vector<Site> sites(std::uint32_t process = 0);
  [[nodiscard]] static Site only_site();
  [[nodiscard]] static const al_code* code(const Process& process, Address code, std::uint64_t print);
  [[nodiscard]] static std::uint64_t dropped();  // all of them together

 private:
  python::LayoutRow row_;
  std::map<std::uint32_t, Process> processes_;
};

[[nodiscard]] inline std::uint64_t counted(al_counter which) { return kernel().counter(which); }
[[nodiscard]] inline std::uint64_t records() {
  return kernel().map("recent_tasks").size() + kernel().map("tasks").size();
}

// The text of a copied name, of whatever kind.
template <class Text>
[[nodiscard]] std::u32string text_of(const Text& text) {
  std::u32string out;
  const std::size_t width = text.kind == 8 ? 1 : text.kind;
  for (std::size_t i = 0; width != 0 && i + width <= text.length; i += width) {
    char32_t character = 0;
    for (std::size_t byte = 0; byte < width; byte++)
      character |= static_cast<char32_t>(text.text[i + byte]) << 8 * byte;
    out.push_back(character);
  }
  return out;
}

// CALL(row) for every CPython line.
template <class Call>
void for_each_line(Call call) {
  for (const auto& row : python::layout_rows()) {
    CAPTURE(python::row_name(row));
    call(row);
  }
}

[[nodiscard]] inline const python::LayoutRow& line(int minor, bool free_threaded = false) {
  return *python::find_row(minor, free_threaded);
}

}  // namespace asyncleak::fake
