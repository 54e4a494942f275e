// What operators call a process: its systemd unit, container, Kubernetes pod.
//
// Used by src/probe for the Python processes it has found. Reads /proc and small files of the target's root; never the
// target's memory. Nothing here fails: what cannot be read is not known.
#pragma once

#include "python/process.h"

namespace asyncleak::python {

// Fills unit, container, inside and started_wall_ns of INFO.
void add_names(ProcessInfo& info);

}  // namespace asyncleak::python
