// The metrics that have a series per site.
//
// Used by prometheus.cpp.
#pragma once

#include "model/report.h"
#include "view/prometheus/counters.h"
#include "view/prometheus/places.h"
#include "view/prometheus/processes.h"
#include "view/prometheus/prometheus.h"

#include <string>
#include <unordered_map>
#include <vector>

namespace asyncleak {

class MetricSites {
 public:
  explicit MetricSites(const PrometheusOptions& options);
  void write(std::string& out, const Report& report, const MetricProcesses& processes);

 private:
  struct Families;
  // Labels of SITE's own series; made once, they never change.
  const std::string& own_labels(const SiteIdentity& site);
  void choose(Places& places, const std::vector<const SiteRow*>& rows, const MetricProcesses& processes,
              Worth (*worth)(const SiteRow&), std::size_t series);
  void add_tasks(Families& families, const std::vector<const SiteRow*>& rows, const MetricProcesses& processes);
  void add_bytes(Families& families, const Report& report, const std::vector<const SiteRow*>& rows,
                 const MetricProcesses& processes);

  Places task_places_, byte_places_;
  SiteCounters counters_;
  std::unordered_map<std::uint64_t, std::string> labels_;  // by SiteIdentity::id, of sites of this report
};

}  // namespace asyncleak
