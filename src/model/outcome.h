// What was found while we watched: every finding that ever stood, and whether it stood at the end.
//
// Used by src/cli through gate.h, which says what follows from it. Pure: fed with reports, time comes from them;
// knows no thresholds. Bounded: of more findings than it can keep, those that matter least are counted only.
#pragma once

#include "model/finding_key.h"
#include "model/report.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace asyncleak {

struct PastFinding {
  Finding finding;  // as it was told last
  std::int64_t first_wall_ns = 0, last_wall_ns = 0;
  std::int64_t first_ns = 0, last_ns = 0;  // CLOCK_MONOTONIC
  bool standing = false;                   // at the end
};

class Outcome {
 public:
  static constexpr std::size_t default_limit = 1000;

  explicit Outcome(std::size_t limit = default_limit) : limit_(limit) {}

  // Kind, process and site tell findings apart. Of a process that the report shows as ended stands what stood when it
  // did, although asyncio.run() cancels what is left on its way out; one that is not in the report takes its findings
  // along.
  void add(const Report& report);

  // Those that stand first, leaks before warnings, then in the order they came.
  [[nodiscard]] std::vector<PastFinding> findings() const;
  [[nodiscard]] std::uint64_t left_out() const { return left_out_; }
  [[nodiscard]] std::int64_t first_wall_ns() const { return first_wall_ns_; }
  [[nodiscard]] std::int64_t last_wall_ns() const { return last_wall_ns_; }
  [[nodiscard]] double watched_s() const { return static_cast<double>(last_ns_ - first_ns_) / 1e9; }

 private:
  void update_standing(const Report& report, std::int64_t grace_ns);
  void forget_the_least();

  std::size_t limit_;
  std::map<FindingKey, PastFinding> all_;
  std::map<pid_t, std::int64_t> ended_ns_;  // when they were first seen to have ended
  std::uint64_t left_out_ = 0;
  bool any_ = false;
  std::int64_t first_wall_ns_ = 0, last_wall_ns_ = 0, first_ns_ = 0, last_ns_ = 0;
};

}  // namespace asyncleak
