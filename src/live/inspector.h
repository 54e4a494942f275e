// One look at one process: for the command `inspect`, which needs no probe, and for the drill-down of the live view.
//
// Used by src/cli. Needs the right to ptrace the process (root, or its owner), not BPF.
#pragma once

#include "census/inspect.h"
#include "live/process_reader.h"
#include "probe/catalog.h"
#include "sample/inspection.h"
#include "util/result.h"

namespace asyncleak::live {

using asyncleak::InspectRequest;

// READER is PROCESS's. Without KNOWN, as below.
[[nodiscard]] Result<Inspection> inspect(ProcessReader& reader, const probe::KnownProcess& process,
                                         const InspectRequest& request, const census::KnownOfTask& known);

// Without probes a task's age is not known: with REQUEST.older_s it looks twice, that long apart, and lists what was
// there both times.
[[nodiscard]] Result<Inspection> inspect(pid_t pid, const InspectRequest& request);

}  // namespace asyncleak::live
