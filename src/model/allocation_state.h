// What the model remembers of the bytes a site allocated (--memory malloc, all): whether they only accumulate.
//
// Used by model.cpp only. Bytes are judged as tasks are: by the floor of their number and by what became of those
// allocated early on, so that a site that churns the same volume stays silent.
#pragma once

#include "model/findings.h"
#include "model/history.h"
#include "model/site_state.h"

#include <cstdint>
#include <optional>

namespace asyncleak {

class AllocationState {
 public:
  // Fills in what ROW has of allocations; SITE must have some. PROCESS: nullptr where the sample lacks it.
  void update(SiteRow& row, const SiteSample& site, const ProcessSample* process, const Interval& interval);
  // For the row just updated; nullopt when its bytes do not accumulate.
  [[nodiscard]] std::optional<Finding> finding(const SiteRow& row, const Interval& interval);

  std::uint64_t last_update = 0;  // which update saw it: the others are forgotten

 private:
  History history_;  // bytes not freed
  Standing standing_;
  Survivors survivors_;
  Standpoint standpoint_;
  std::optional<Trend> trend_;
  std::int64_t since_ns_ = 0;           // when counting began; another time: it began anew
  std::int64_t last_allocated_ns_ = 0;  // as fine as the samples
  std::uint64_t allocated_bytes_ = 0;
};

}  // namespace asyncleak
