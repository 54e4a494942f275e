// What processes and sites are called in the metrics.
//
// Used by this folder only. Pure.
#pragma once

#include "model/report.h"
#include "view/prometheus/family.h"

#include <string>
#include <string_view>

namespace asyncleak {

// pid, comm, unit, container.
[[nodiscard]] std::string process_labels(pid_t pid, const ProcessSample* process);
// The same of all processes that have no series of their own, together.
[[nodiscard]] std::string other_processes();

// coroutine, site: "app.py:31#1f3a9c2e", where the tasks are created and a hash of the whole creation stack. The same
// for the same code in every process and after a restart. KEY: site_key() of the site; empty: that of IDENTITY.
[[nodiscard]] std::string site_labels(const SiteIdentity& identity, std::string_view key = {});
[[nodiscard]] std::string other_sites();

}  // namespace asyncleak
