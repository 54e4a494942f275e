// What the model remembers of the bytes that a site's transports have not written yet: whether they only accumulate,
// as where nobody awaits drain() and the peer is slower than the program.
//
// Used by model.cpp only.
#pragma once

#include "model/history.h"
#include "model/report.h"
#include "model/site_state.h"
#include "model/verdict.h"

#include <cstdint>
#include <optional>

namespace asyncleak {

class BufferState {
 public:
  // SITE has write buffers. PROCESS: nullptr where the sample lacks it. nullopt: they do not accumulate.
  [[nodiscard]] std::optional<Finding> update(const SiteRow& row, const SiteSample& site, const ProcessSample* process,
                                              const Interval& interval);

  std::uint64_t last_update = 0;  // which update saw it: the others are forgotten

 private:
  History history_;  // a point per census
  Standpoint standpoint_;
  Standing standing_;
  std::int64_t census_ns_ = 0;
};

}  // namespace asyncleak
