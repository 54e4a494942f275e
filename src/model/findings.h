// Which verdicts and readings are worth telling somebody, and in which words.
//
// Used by model.cpp. Pure; every sentence carries the numbers it rests on.
#pragma once

#include "model/model.h"
#include "model/verdict.h"

#include <optional>

namespace asyncleak {

// How many of the tasks created in the last SECONDS still exist.
struct Survival {
  double seconds = 0;
  std::uint64_t created = 0;
  std::uint64_t alive = 0;
};

// Which tasks of a growing site become more. Other kinds have no states: all.
enum class Accumulating { all, done, cancel_requested };

struct Evidence {
  Trend trend;
  std::optional<Survival> survival;
  Accumulating what = Accumulating::all;
  double since_s = 0;
};

// For a site whose verdict is growing or leak.
[[nodiscard]] Finding accumulation(const SiteRow& site, const Evidence& evidence);

// That the bytes a site allocated only accumulate.
struct AllocationEvidence {
  Trend trend;              // of the bytes
  double old_s = 0;         // what is older counts as old
  std::int64_t now_ns = 0;  // CLOCK_MONOTONIC
  double since_s = 0;
};
[[nodiscard]] Finding allocation_growth(const SiteRow& site, const AllocationEvidence& evidence);

// Pending tasks, all that exist where their states are not known.
[[nodiscard]] std::uint64_t tasks_of(const SiteRow& site);
// That what the transports of a site have to write only accumulates.
struct BufferEvidence {
  Verdict verdict = Verdict::growing;
  std::optional<double> confidence;
  Trend trend;  // of the bytes
  double since_s = 0;
};
[[nodiscard]] Finding buffer_growth(const SiteRow& site, const BufferEvidence& evidence);

[[nodiscard]] bool is_overloaded(const ProcessRow& process, const Policy& policy);
// LARGEST is the site of that process with the most tasks; nullptr: none is known.
[[nodiscard]] Finding overload(const ProcessRow& process, const SiteRow* largest, const Policy& policy, double since_s);

[[nodiscard]] bool has_rss_growth(const ProcessRow& process, const Policy& policy);
[[nodiscard]] Finding rss_growth(const ProcessRow& process, const Policy& policy, double since_s);

// For a site with slow steps; THRESHOLD_NS: what they are longer than.
[[nodiscard]] Finding slow_step(const SiteRow& site, std::uint64_t threshold_ns, double since_s);
[[nodiscard]] bool has_slow_steps(const SiteRow& site);

// For a site some of whose tasks were destroyed before they finished.
[[nodiscard]] Finding destroyed_pending(const SiteRow& site, double since_s);

[[nodiscard]] Finding never_awaited(const ProcessRow& process, const NeverAwaited& coroutines,
                                    std::optional<double> growth_per_min, double since_s);

// Leaks first, then what names a site, then allocated bytes, then what names the program's own code; then by growth and
// by size; ties as they came.
void sort_findings(std::vector<Finding>& findings);

}  // namespace asyncleak
