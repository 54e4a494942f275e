// Findings as lines of a log: one when it begins, one when it ends, so that the journal alone tells.
//
// Used by daemon.cpp. Pure: reports in, lines out.
#pragma once

#include "cli/log.h"
#include "model/finding_key.h"
#include "model/report.h"

#include <map>
#include <string>
#include <vector>

namespace asyncleak::cli {

struct LogLine {
  Level level;
  std::string text;
};

class FindingLog {
 public:
  // What began, became a leak or ended since the report before.
  [[nodiscard]] std::vector<LogLine> update(const Report& report);

 private:
  struct Standing {
    Severity severity = Severity::warning;
    std::string subject;
    double since_s = 0;
  };
  std::map<FindingKey, Standing> standing_;
};

// "12 processes, 40 sites, 1 leak, 2 warnings, 0 events lost".
[[nodiscard]] std::string status_text(const Report& report);

}  // namespace asyncleak::cli
