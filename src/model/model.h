// Samples in, reports out: rates, ages, trends, verdicts, findings.
//
// Used by src/cli. Pure: no clock, no I/O; time comes from the samples. Keeps a bounded
// history per site (about ten minutes at full rate, coarser before).
#pragma once

#include "model/report.h"
#include "sample/sample.h"

#include <memory>

namespace asyncleak {

struct Policy {
  std::uint64_t warn_tasks = 100;  // `overload` above so many outstanding in one process
  double warn_rss_percent = 50;    // `rss-growth` above so much over the first reading
  double leak_confidence = 0.9;    // a leak is named from this confidence on
};

class Model {
 public:
  explicit Model(Policy policy);
  Model(Model&&) noexcept;
  ~Model();

  // SAMPLE must be later than the one before. Sites and processes that are no longer in it are
  // forgotten, with their findings.
  [[nodiscard]] Report update(const Sample& sample);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace asyncleak
