// Tasks from before the attach, out of a snapshot into the kernel's counts.
//
// Used by process_census.cpp. Why it is exact is told in bpf/seed.bpf.h.
#pragma once

#include "census/snapshot.h"
#include "probe/task_records.h"
#include "util/result.h"

#include <cstdint>
#include <span>
#include <vector>

namespace asyncleak::live {

// Allocated, and its __init__ yet to come: the probe will see it.
[[nodiscard]] inline bool is_half_made(const census::TaskRecord& task) {
  return task.coroutine == 0 && task.state == census::TaskState::pending;
}

// SITES[i] is the kernel's site of snapshot.tasks[i], 0: not known, and then it is to be seeded; the new
// site's id is put there. True: all are counted now.
[[nodiscard]] Result<bool> seed_unknown(probe::TaskRecords& records, const probe::OpenedProcess& process,
                                        const census::Snapshot& snapshot, std::span<std::uint32_t> sites,
                                        census::Readers& readers, std::int64_t attached_ns);

}  // namespace asyncleak::live
