// Loads the programs into the running kernel: what the verifier and the JIT made of each, against a budget, and one of
// them attached to ourselves, hit by hit. Exit 77 only without root: as root a kernel that refuses is a failure.
#include "asyncleak.h"
#include "asyncleak.skel.h"
#include "util/handle.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/core.h>
#include <unistd.h>
#include <array>
#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

// A function of our own to trap, that no compiler folds away.
extern "C" __attribute__((noinline)) void asyncleak_load_test_target(int number) {
  asm volatile("" : : "r"(number) : "memory");
}

namespace {

using asyncleak::Fd;
using asyncleak::Handle;

constexpr int skipped = 77;

// About twice what clang 14 and the most demanding of Linux 6.1, 6.12, 6.18 and 7.2 (tests/vm) make of it. More than
// that is a loop the verifier unrolls or a path that multiplies: look before raising. Verified instructions are bounded
// by the kernel at a million.
struct Budget {
  std::string_view program;
  std::uint32_t verified, jited_bytes;
};
constexpr std::array budgets = {
    Budget{"task_init", 190'000, 28'000},
    Budget{"task_dealloc", 38'000, 11'000},
    Budget{"unawaited_warning", 18'000, 9'800},
    Budget{"calibrate", 10, 100},
    Budget{"process_fork", 50'000, 5'000},
    Budget{"process_exec", 60, 300},
    Budget{"process_exit", 80, 400},
    Budget{"purge_process", 1'600, 600},
    Budget{"open_process", 160, 800},
    Budget{"set_seeding", 450, 800},
    Budget{"seed_tasks", 66'000, 4'000},
    Budget{"sites_of_tasks", 240, 1'000},
    Budget{"allocating", 13'000, 9'600},
    Budget{"allocated", 61'000, 28'000},
    Budget{"passing_malloc", 56'000, 28'000},
    Budget{"freeing", 2'600, 3'900},
    Budget{"step_entered", 8'000, 6'800},
    Budget{"eager_step_entered", 4'000, 4'000},
    Budget{"step_left", 5'500, 10'800},
    Budget{"memory_exec", 60, 300},
    Budget{"memory_thread_exit", 20, 150},
};

std::optional<bpf_prog_info> info_of(const bpf_program* program) {
  bpf_prog_info info{};
  std::uint32_t size = sizeof(info);
  if (bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size) != 0) return std::nullopt;
  return info;
}

bool within_budget(const bpf_program* program) {
  const std::string_view name = bpf_program__name(program);
  const auto info = info_of(program);
  if (!info) {
    fmt::print("{}: no information: {}\n", name, std::strerror(errno));
    return false;
  }
  fmt::print("{:14} {:8} instructions verified, {:6} bytes of machine code\n", name, info->verified_insns,
             info->jited_prog_len);
  for (const Budget& budget : budgets) {
    if (budget.program != name) continue;
    if (info->verified_insns <= budget.verified && info->jited_prog_len <= budget.jited_bytes) return true;
    fmt::print("  more than its budget: {} instructions, {} bytes\n", budget.verified, budget.jited_bytes);
    return false;
  }
  fmt::print("  has no budget: give it one in {}\n", __FILE__);
  return false;
}

// The kernel counts the runs of a program while statistics are on.
bool counts_every_hit(const bpf_program* program) {
  constexpr int hits = 1000;
  const Fd statistics(bpf_enable_stats(BPF_STATS_RUN_TIME));
  LIBBPF_OPTS(bpf_uprobe_opts, options, .func_name = "asyncleak_load_test_target");
  const Handle<bpf_link, bpf_link__destroy> link(
      bpf_program__attach_uprobe_opts(program, getpid(), "/proc/self/exe", 0, &options));
  if (!link) {
    fmt::print("attaching a uprobe to ourselves: {}\n", std::strerror(errno));
    return false;
  }
  const auto before = info_of(program);
  for (int i = 0; i < hits; i++) asyncleak_load_test_target(i);
  const auto after = info_of(program);
  const std::uint64_t counted = before && after ? after->run_cnt - before->run_cnt : 0;
  fmt::print("{} calls of a trapped function, {} runs of the program\n", hits, counted);
  return counted == hits;
}

int print_warning(libbpf_print_level level, const char* format, va_list arguments) {
  return level == LIBBPF_WARN ? std::vfprintf(stdout, format, arguments) : 0;
}

}  // namespace

int main() {
  if (geteuid() != 0) {
    fmt::print("skipped: loading BPF programs needs root\n");
    return skipped;
  }
  libbpf_set_print(print_warning);
  const Handle<asyncleak_bpf, asyncleak_bpf::destroy> skeleton(asyncleak_bpf::open());
  if (!skeleton || asyncleak_bpf::load(skeleton.get()) != 0) {
    fmt::print("the kernel refuses the programs: {}\n", std::strerror(errno));
    return 1;
  }
  bool good = true;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, skeleton->obj) good = within_budget(program) && good;
  good = counts_every_hit(skeleton->progs.calibrate) && good;
  return good ? 0 : 1;
}
