// What is told while the live view runs and nobody looks: to the service manager that started it, and, with --quiet, to
// whoever reads the log.
//
// Used by live.cpp. Knows neither probes nor what is in a metrics file.
#pragma once

#include "cli/finding_log.h"
#include "cli/options.h"
#include "cli/service.h"
#include "model/report.h"
#include "util/result.h"

#include <cstdint>
#include <optional>
#include <string>

namespace asyncleak::cli {

class Daemon {
 public:
  Daemon(const Options& options, ServiceManager manager);

  // Once, when the probes are in place and the first metrics are written.
  void started(const Report& report);
  // After each refresh. DONE: what went wrong with it. Returns what is to be told of that: when it begins, changes or
  // is over, and not every second.
  [[nodiscard]] std::optional<LogLine> refreshed(const Report& report, const Result<void>& done);
  // SIGNAL 0: an option ended it.
  void stopping(int signal);

 private:
  void tell_findings(const Report& report);

  const Options& options_;
  ServiceManager manager_;
  FindingLog findings_;
  std::string trouble_;  // what went wrong at the last refresh; empty: nothing
  std::int64_t delay_ns_;
};

}  // namespace asyncleak::cli
