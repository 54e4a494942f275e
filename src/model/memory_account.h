// Do the bytes charged by the probes and those seen by the walk of the pools explain what a process grew by?
//
// Used by model.cpp only. Pure: compares two looks at the process's memory, the first and the last since allocations
// are counted, so that the parts are of the same moments.
#pragma once

#include "model/report.h"

#include <cstdint>
#include <optional>

namespace asyncleak {

class MemoryAccounts {
 public:
  // For a row whose sums of allocated bytes are complete; sets ProcessRow::account.
  void update(ProcessRow& row, std::int64_t now_ns);

 private:
  struct Moment {
    std::int64_t at_ns = 0;
    std::uint64_t resident_bytes = 0;
    std::optional<std::uint64_t> small_objects_bytes;  // nullopt: not known
    std::uint64_t allocated_bytes = 0;
  };
  [[nodiscard]] static std::optional<Moment> moment_of(const ProcessRow& row, std::int64_t now_ns);

  std::int64_t since_ns_ = 0;
  std::optional<Moment> first_, last_;
};

}  // namespace asyncleak
