#include "probe/slow_steps.h"

#include "probe/clock.h"
#include "probe/memory_session.h"
#include "python/proc_text.h"

#include <fmt/format.h>
#include <algorithm>
#include <cstdint>

namespace asyncleak::probe {

namespace {

// A thread that stands outside the step has returned from it, and the end was not seen.
bool is_inside(const ThreadSteps& thread, const al_step& step) {
  const auto text = python::read_proc(static_cast<pid_t>(thread.tgid), fmt::format("task/{}/syscall", thread.tid));
  if (!text) return false;  // it has ended
  return stack_pointer_in(*text).value_or(0) <= step.sp;
}

void add_running(RunningSteps& running, const ThreadSteps& thread, std::int64_t now_ns, TaskRecords& records) {
  for (std::uint32_t i = 0; i < thread.steps.count; i++) {
    const al_step& step = thread.steps.step[i];
    const auto age_ns = now_ns - static_cast<std::int64_t>(step.began_ns);
    if (step.began_ns == 0 || age_ns <= static_cast<std::int64_t>(thread.slow_step_ns)) return;  // nor those within it
    if (!is_inside(thread, step)) return;
    const std::uint64_t task = step.task;
    const auto births = records.births_of(thread.steps.process, std::span(&task, 1));
    const std::uint32_t site = step.site != 0 || !births ? step.site : births->front().site;
    if (site == 0) continue;
    auto& longest = running[site];
    longest = std::max(longest, static_cast<std::uint64_t>(age_ns));
  }
}

}  // namespace

// fs/proc/base.c, proc_pid_syscall(): "running", or numbers of which the last two are the stack pointer and the
// instruction's address.
std::optional<std::uint64_t> stack_pointer_in(std::string_view syscall) {
  const auto last = syscall.find_last_of(' ');
  if (last == std::string_view::npos || last == 0) return std::nullopt;
  const auto before = syscall.find_last_of(' ', last - 1);
  if (before == std::string_view::npos) return std::nullopt;
  const auto word = syscall.substr(before + 1, last - before - 1);
  return word.starts_with("0x") ? python::number(word.substr(2), 16) : std::nullopt;
}

RunningSteps find_running_steps(const Session& session, TaskRecords& records) {
  RunningSteps running;
  const auto now_ns = monotonic_ns();
  for (const MemorySession* steps : session.step_sessions()) {
    for (const auto& thread : steps->threads_in_steps()) add_running(running, thread, now_ns, records);
  }
  return running;
}

}  // namespace asyncleak::probe
