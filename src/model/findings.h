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

// For a site whose verdict is growing or leak.
[[nodiscard]] Finding task_leak(const SiteRow& site, const Trend& trend, const std::optional<Survival>& survival,
                                double since_s);

[[nodiscard]] bool is_overloaded(const ProcessRow& process, const Policy& policy);
[[nodiscard]] Finding overload(const ProcessRow& process, const Policy& policy, double since_s);

[[nodiscard]] bool has_rss_growth(const ProcessRow& process, const Policy& policy);
[[nodiscard]] Finding rss_growth(const ProcessRow& process, const Policy& policy, double since_s);

// Leaks first, then by growth, then by size; ties as they came.
void sort_findings(std::vector<Finding>& findings);

}  // namespace asyncleak
