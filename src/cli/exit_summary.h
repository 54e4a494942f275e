// What a command says, and with which status it ends, when it stops watching: the options --fail-on, --allow,
// --allow-file, --min-confidence and --summary at work.
//
// Used by live.cpp, run.cpp and replay.cpp: make() before anything is watched, add() each report, finish() once.
#pragma once

#include "cli/options.h"
#include "model/gate.h"
#include "model/outcome.h"
#include "util/result.h"

#include <vector>

namespace asyncleak::cli {

class ExitSummary {
 public:
  // Reads the allow-file. Error: it cannot be read, or a line of it is no pattern.
  [[nodiscard]] static Result<ExitSummary> make(const Options& options);

  void add(const Report& report) { outcome_.add(report); }

  // Writes the summaries. FRAMES: reports went to stdout or stderr, with every finding at length. With --quiet none but
  // those asked for, unless the gate fails. Returns the exit status: 1 when the gate fails, or a summary cannot be
  // written.
  [[nodiscard]] int finish(bool frames) const;

 private:
  ExitSummary(GatePolicy policy, const Options& options)
      : policy_(std::move(policy)), outputs_(options.summaries), quiet_(options.format == Format::quiet) {}

  GatePolicy policy_;
  std::vector<SummaryOutput> outputs_;
  bool quiet_;
  Outcome outcome_;
};

}  // namespace asyncleak::cli
