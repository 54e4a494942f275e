#include "elf/return_points.h"

#include "elf/symbols.h"
#include "fixture.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <limits>
#include <map>
#include <thread>

namespace asyncleak::elf {
namespace {

struct Case {
  const char* function;
  const char* places;  // kind, distance, registers; or how the error starts
};

std::string name_of(Register reg) {
  constexpr std::array names = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
                                "r8",  "r9",  "r10", "r11", "r12", "r13", "r14", "r15"};
  return names[static_cast<std::size_t>(reg)];
}

std::string text(const ReturnPoints& points, std::uint64_t entry) {
  std::string all;
  const auto add = [&](const char* kind, const std::vector<Placement>& places) {
    for (const Placement& place : places) {
      all += fmt::format("{}{} {:+d}", all.empty() ? "" : ", ", kind, static_cast<std::int64_t>(place.vaddr - entry));
      for (const Register reg : place.arguments) all += " " + name_of(reg);
    }
  };
  add("whole", points.whole);
  add("before", points.before);
  add("after", points.after);
  for (const std::uint64_t vaddr : points.unseen_returns)
    all += fmt::format(", unseen {:+d}", static_cast<std::int64_t>(vaddr - entry));
  return all;
}

const std::vector<Case> cases = {
    {"plain", "whole +11 rax rbx"},
    {"no_emulated_instruction", "no emulated instruction with both at hand: to 0x"},
    {"changed_behind", "no emulated instruction with both at hand: 0x"},
    {"two_on_a_path", "whole +11 rax rbx"},
    {"joined", "whole +27 rax rbx"},
    {"only_in_a_loop", "a call may pass 0x"},
    {"before_a_loop", "whole +4 rax rdi"},
    {"tries_again", "whole +12 rax rbx, whole +25 rax rbx"},
    {"null_without_place", "whole +11 rax rdi"},
    {"pointer_without_place", "no emulated instruction with both at hand: to 0x"},
    {"argument_lost", "before +7 rdi, after +29 rax, after +44 rax"},
    {"argument_lost_on_one_path", "whole +19 rax rdi, before +26 rdi, after +33 rax"},
    {"spilled", "no emulated instruction with both"},
    {"partly_overwritten", "no emulated instruction with both"},
    {"dead_end", "whole +6 rax rdi"},
    {"dead_end_by_argument", "whole +6 rax rdi"},
    {"no_dead_end_by_argument", "no emulated instruction with both"},
    {"hooked", "whole +13 rax rdi, unseen +15"},
    {"only_indirect", "no return is reached"},
    {"tail_call", "whole +7 rax rdi, before +10 rdi, after -4 rax"},
    {"entered_in_the_middle", "before +0 rdi, after +5 rax"},
    {"inside_an_instruction", "code inside an instruction at 0x"},
    {"undecodable", "undecodable instruction at 0x"},
};

TEST_CASE("every call that returns a pointer passes one place, whatever way it takes") {
  test::Workshop workshop;
  const std::string file = workshop.compile("return_points.S", "-shared -Wl,-Bsymbolic");
  const auto image = Image::open(file);
  REQUIRE(image);
  const auto symbols = load_symbols(*image, file);
  REQUIRE(symbols);
  for (const Case& expected : cases) {
    INFO(expected.function);
    const auto entry = symbols->find(expected.function);
    REQUIRE(entry);
    const auto points = find_points_of_returns(*image, *entry, Register::rdi);
    const std::string found = points ? text(*points, *entry) : points.error().message;
    // An error goes on with addresses; places are compared as a whole.
    CHECK(found.substr(0, points ? std::string::npos : std::strlen(expected.places)) == expected.places);
    if (!points) continue;
    for (const auto* places : {&points->whole, &points->before, &points->after}) {
      for (const Placement& place : *places) {
        CHECK(place.emulated);
        CHECK(verify_placement(*image, place));
      }
    }
  }
}

// The machine's C library, not what a sanitizer puts in its place.
struct CLibrary {
  void* handle = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
  template <class Function>
  [[nodiscard]] Function* function(const char* name) const {
    return reinterpret_cast<Function*>(dlsym(handle, name));
  }
};

struct Allocation {
  std::size_t size;
  void* result;
};

// Written by the allocating child, read by its debugger.
struct Log {
  std::atomic<std::size_t> running;  // 1 + index of the allocation under way; 0: none
  std::size_t count;
  std::array<Allocation, 256> allocations;
};

class Allocating {
 public:
  Allocating(const CLibrary& c, Log& log)
      : allocate_(c.function<void*(std::size_t)>("malloc")), release_(c.function<void(void*)>("free")), log_(log) {}

  void* one(std::size_t size) {
    const std::size_t index = log_.count++;
    log_.allocations[index].size = size;
    log_.running = index + 1;
    void* const result = allocate_(size);
    log_.running = 0;
    log_.allocations[index].result = result;
    return result;
  }

  void all_sizes() {
    constexpr std::size_t largest = std::numeric_limits<std::size_t>::max();
    for (int round = 0; round < 2; ++round) {
      for (const std::size_t size : {0UL, 1UL, 24UL, 25UL, 100UL, 1032UL, 1033UL, 5000UL, 100'000UL, 200'000UL,
                                     40UL << 20, 1UL << 46, largest / 2, largest / 2 + 1, largest}) {
        void* const kept = one(size);
        release_(one(size));  // the next of this size may come from a cache
        if (round == 1) release_(kept);
      }
    }
  }

 private:
  void* (*allocate_)(std::size_t);
  void (*release_)(void*);
  Log& log_;
};

// Runs traced; threads one after the other, so that a place is never executed while its probe is lifted.
[[noreturn]] void allocate_all_ways(const CLibrary& c, Log& log) {
  ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
  (void)raise(SIGSTOP);
  Allocating allocating(c, log);
  allocating.all_sizes();
  std::thread([&] { allocating.all_sizes(); }).join();
  allocating.all_sizes();
  // More than a thread's arena can hold, and no mmap: glibc tries again in the main arena.
  c.function<int(int, int)>("mallopt")(M_MMAP_MAX, 0);
  std::thread([&] { allocating.one(100UL << 20); }).join();
  _exit(0);
}

enum class Kind { whole, before, after };

struct Hit {
  std::uint64_t pointer, size;
};

// Plays the probes in the child, with breakpoints.
class Debugger {
 public:
  Debugger(pid_t child, std::uint64_t base, const Log& log) : child_(child), base_(base), log_(log) {}

  void probe(Kind kind, const std::vector<Placement>& places) {
    for (const Placement& place : places) {
      const std::uint64_t address = base_ + place.vaddr;
      errno = 0;
      const long code = ptrace(PTRACE_PEEKTEXT, child_, address, nullptr);
      REQUIRE(errno == 0);
      probes_[address] = {kind, place.arguments, code};
      arm(child_, address);
    }
  }

  // Until the child exits; its status.
  int run() {
    ptrace(PTRACE_SETOPTIONS, child_, nullptr, PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL);
    ptrace(PTRACE_CONT, child_, nullptr, nullptr);
    int status = 0;
    for (pid_t thread; (thread = waitpid(-1, &status, __WALL)) > 0;) {
      if (!WIFSTOPPED(status)) {
        if (thread == child_) return status;
        continue;
      }
      const int signal = WSTOPSIG(status);
      const bool expected = signal == SIGSTOP || status >> 16 != 0 || (signal == SIGTRAP && hit(thread));
      ptrace(PTRACE_CONT, thread, nullptr, expected ? 0 : signal);
    }
    return status;
  }

  [[nodiscard]] const std::multimap<std::size_t, Hit>& hits() const { return hits_; }

 private:
  struct Probe {
    Kind kind;
    std::vector<Register> arguments;
    long code;
  };

  // Of the threads only the one that has stopped can be asked.
  void arm(pid_t thread, std::uint64_t address) {
    ptrace(PTRACE_POKETEXT, thread, address, (probes_.at(address).code & ~0xffL) | 0xcc);
  }

  bool hit(pid_t thread) {
    user_regs_struct regs;
    ptrace(PTRACE_GETREGS, thread, nullptr, &regs);
    const auto probe = probes_.find(regs.rip - 1);
    if (probe == probes_.end()) return false;
    count(thread, probe->second, regs);
    regs.rip = probe->first;
    ptrace(PTRACE_SETREGS, thread, nullptr, &regs);
    ptrace(PTRACE_POKETEXT, thread, probe->first, probe->second.code);
    ptrace(PTRACE_SINGLESTEP, thread, nullptr, nullptr);
    waitpid(thread, nullptr, __WALL);
    arm(thread, probe->first);
    return true;
  }

  void count(pid_t thread, const Probe& probe, const user_regs_struct& regs) {
    const auto argument = [&](std::size_t i) {
      std::uint64_t value;
      std::memcpy(&value, reinterpret_cast<const char*>(&regs) + pt_regs_offset(probe.arguments[i]), sizeof(value));
      return value;
    };
    if (probe.kind == Kind::before) {
      notes_[thread] = argument(0);
    } else if (argument(0) != 0 && probe.kind == Kind::whole) {
      hits_.emplace(log_.running, Hit{argument(0), argument(1)});
    } else if (const auto note = notes_.find(thread); argument(0) != 0 && note != notes_.end()) {
      hits_.emplace(log_.running, Hit{argument(0), note->second});
      notes_.erase(note);
    }
  }

  pid_t child_;
  std::uint64_t base_;
  const Log& log_;
  std::map<std::uint64_t, Probe> probes_;
  std::map<pid_t, std::uint64_t> notes_;
  std::multimap<std::size_t, Hit> hits_;
};

TEST_CASE("in the C library of this machine each malloc is seen once with its pointer and its size") {
  const CLibrary c;
  Dl_info library;
  if (c.handle == nullptr || dladdr(dlsym(c.handle, "malloc"), &library) == 0) return;
  const auto image = Image::open(library.dli_fname);
  REQUIRE(image);
  const auto base = reinterpret_cast<std::uint64_t>(library.dli_fbase);
  const auto points = find_points_of_returns(*image, *image->dynamic_symbol("malloc"), Register::rdi);
  // Another build may have none; those of Debian 11 to 14 have.
  if (!points) {
    WARN(points.error().message);
    return;
  }
  INFO(text(*points, *image->dynamic_symbol("malloc")));
  void* const shared = mmap(nullptr, sizeof(Log), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  REQUIRE(shared != MAP_FAILED);
  auto& log = *new (shared) Log{};
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) allocate_all_ways(c, log);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFSTOPPED(status));
  Debugger debugger(child, base, log);
  debugger.probe(Kind::whole, points->whole);
  debugger.probe(Kind::before, points->before);
  debugger.probe(Kind::after, points->after);
  REQUIRE(debugger.run() == 0);

  CHECK(log.count == 181);
  for (std::size_t i = 0; i < log.count; ++i) {
    const auto [size, result] = log.allocations[i];
    INFO(i << ": malloc(" << size << ") = " << result);
    const auto [first, last] = debugger.hits().equal_range(i + 1);
    CHECK(std::distance(first, last) == (result == nullptr ? 0 : 1));
    if (first == last) continue;
    CHECK(first->second.pointer == reinterpret_cast<std::uint64_t>(result));
    CHECK(first->second.size == size);
  }
  munmap(shared, sizeof(Log));
}

}  // namespace
}  // namespace asyncleak::elf
