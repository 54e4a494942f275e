// One report in Prometheus' text format 0.0.4, for node_exporter's textfile collector.
//
// Used by src/cli (--prom-textfile), which writes it with util/atomic_file. The contract is
// DESIGN.md section 2. Metrics whose values are not observed are left out, never 0.
#pragma once

#include "model/report.h"

#include <cstddef>
#include <string>

namespace asyncleak {

struct PrometheusOptions {
  std::size_t sites_per_process = 20;  // the rest is summed under site="other"
};

[[nodiscard]] std::string to_prometheus(const Report& report, const PrometheusOptions& options);

// "app.py:31#1f3a9c2e": where the tasks are created and a hash of the whole creation stack. The
// same for the same code in every process and after a restart.
[[nodiscard]] std::string site_label(const SiteIdentity& identity);

}  // namespace asyncleak
