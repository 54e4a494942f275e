// The metrics of findings: which stand, and since when.
//
// Used by prometheus.cpp.
#pragma once

#include "model/report.h"
#include "view/prometheus/processes.h"
#include "view/prometheus/prometheus.h"

#include <map>
#include <string>

namespace asyncleak {

class MetricFindings {
 public:
  explicit MetricFindings(const PrometheusOptions& options)
      : per_process_(options.sites_per_process), most_bytes_(options.finding_bytes) {}
  void write(std::string& out, const Report& report, const MetricProcesses& processes);

 private:
  double start_of(const std::string& labels, const Finding& finding, std::int64_t wall_ns) const;

  std::size_t per_process_, most_bytes_;
  std::map<std::string, double> starts_;  // by labels, as last written
};

}  // namespace asyncleak
