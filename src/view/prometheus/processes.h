// Which processes have series of their own, and the metrics of processes.
//
// Used by this folder only.
#pragma once

#include "model/report.h"
#include "view/prometheus/places.h"

#include <cstddef>
#include <string>
#include <unordered_map>

namespace asyncleak {

class MetricProcesses {
 public:
  explicit MetricProcesses(std::size_t most_bytes) : places_({1, most_bytes}) {}
  // Before what follows.
  void assign(const Report& report);

  [[nodiscard]] bool is_named(pid_t pid) const { return places_.has(static_cast<std::uint64_t>(pid)); }
  // Of its series: its own, or those of all that have none.
  [[nodiscard]] const std::string& labels(pid_t pid) const;
  void write(std::string& out, const Report& report) const;

 private:
  Places places_;
  std::unordered_map<pid_t, std::string> labels_;  // of the named
};

}  // namespace asyncleak
