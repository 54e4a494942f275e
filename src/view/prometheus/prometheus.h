// One report after the other in Prometheus' text format 0.0.4, for node_exporter's textfile collector.
//
// Used by src/cli (--prom-textfile), which writes it with util/atomic_file. The contract is
// DESIGN.md section 2. Metrics whose values are not observed are left out, never 0.
#pragma once

#include "model/report.h"

#include <cstddef>
#include <memory>
#include <string>

namespace asyncleak {

// What bounds the file, whatever runs and however it is called: the rest is summed under "other". Together with what
// has a fixed size the budgets stay below 2 MB.
struct PrometheusOptions {
  std::size_t sites_per_process = 20;
  std::size_t process_bytes = 800'000;  // series of processes, and of what is "other" in each
  std::size_t task_bytes = 800'000;     // of sites, by their tasks
  std::size_t block_bytes = 100'000;    // of sites, by their bytes
  std::size_t finding_bytes = 200'000;
};

// Remembers who has series of its own, so that counters only go up.
class Prometheus {
 public:
  explicit Prometheus(const PrometheusOptions& options = {});
  Prometheus(Prometheus&&) noexcept;
  ~Prometheus();
  [[nodiscard]] std::string write(const Report& report);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace asyncleak
