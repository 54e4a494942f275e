// Whether the probes on Python's own allocator see every call: what they count against what its pools hold, for a
// moment after the mode all was switched on.
//
// Used by memory_modes.cpp. An interpreter whose callers have the allocator's code copied into them is refused before
// (elf/object_allocator.h); this finds what decoding did not.
#pragma once

#include "asyncleak_memory.h"
#include "census/pymalloc.h"
#include "live/process_reader.h"
#include "probe/catalog.h"
#include "util/result.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace asyncleak::live {

class PoolCheck {
 public:
  // COUNTED reads the kernel's counters of the process. Error: its pools cannot be read, and why.
  using Counted = std::function<al_memory()>;
  [[nodiscard]] static Result<PoolCheck> begin(const probe::KnownProcess& process, const Counted& counted);

  enum class Verdict { undecided, agrees, disagrees };
  // Undecided until enough small blocks came and went to tell.
  [[nodiscard]] Verdict look(const Counted& counted);
  // Of a disagreement, in words.
  [[nodiscard]] const std::string& finding() const { return finding_; }

 private:
  struct Moment {
    std::int64_t in_pools = 0;  // blocks in use
    std::int64_t counted = 0;   // came less went since the probes are there, in the middle of the walk of the pools
    std::int64_t unsure = 0;    // came or went during the walk
    std::int64_t events = 0;    // came or went in all
  };
  explicit PoolCheck(std::unique_ptr<ProcessReader> reader) : reader_(std::move(reader)) {}
  [[nodiscard]] Result<Moment> read(const Counted& counted);

  std::unique_ptr<ProcessReader> reader_;
  census::ArenaVariables variables_;
  Moment first_;
  std::string finding_;
};

}  // namespace asyncleak::live
