// Steps of tasks that have begun and hold their event loop still (--slow-step), from the kernel's stacks of steps.
//
// Used by src/live for map_reader.cpp. Costs a look at each thread that runs tasks. Those that ended are in al_site.
#pragma once

#include "probe/session.h"
#include "probe/task_records.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string_view>

namespace asyncleak::probe {

// By site (the kernel's id): for how long the longest has been running, in ns. Only those over the threshold.
using RunningSteps = std::map<std::uint32_t, std::uint64_t>;
[[nodiscard]] RunningSteps find_running_steps(const Session& session, TaskRecords& records);

// The stack pointer in the text of /proc/PID/task/TID/syscall; nullopt: the thread is on a CPU, or that is no such
// text.
[[nodiscard]] std::optional<std::uint64_t> stack_pointer_in(std::string_view syscall);

}  // namespace asyncleak::probe
