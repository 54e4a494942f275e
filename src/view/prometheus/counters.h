// Counters of sites that never go down, though a site may have a series of its own now and be one of the others later.
//
// Used by sites.cpp. A counter that falls looks like a restart to a metrics server, and rate() then adds
// what never happened. So what happened is counted once, where the site was at that moment: in its own series, in the
// others of its process, or in the others of all processes, which keeps what processes that have ended counted there.
// The sum over all series is then the sum over all sites, as long as no site has lost a series of its own. Pure.
#pragma once

#include "model/report.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <unordered_map>

namespace asyncleak {

// Created, destroyed, destroyed while pending, slow steps. nullopt: not known.
inline constexpr std::size_t site_counters = 4;
using SiteCounts = std::array<std::optional<std::uint64_t>, site_counters>;

class SiteCounters {
 public:
  // Of one report. Forgets processes of which it has no site.
  void begin(const Report& report);
  // Of a site that has a series: what that shows. All that was not counted elsewhere before.
  [[nodiscard]] SiteCounts own(const SiteRow& row);
  void count_in_process(const SiteRow& row) { count(row, of_process_[row.identity->process]); }
  void count_in_all(const SiteRow& row) { count(row, of_all_); }

  // PROCESS: SiteIdentity::process. Null: never one.
  [[nodiscard]] const SiteCounts* others_of(std::uint32_t process) const;
  [[nodiscard]] const SiteCounts& others_of_all() const { return of_all_; }

 private:
  struct Seen {
    std::uint32_t process = 0;
    std::array<std::uint64_t, site_counters> last{}, elsewhere{};
  };
  void count(const SiteRow& row, SiteCounts& sink);
  Seen& seen_of(const SiteRow& row);

  std::unordered_map<std::uint64_t, Seen> seen_;  // by SiteIdentity::id
  std::unordered_map<std::uint32_t, SiteCounts> of_process_;
  SiteCounts of_all_{};
};

}  // namespace asyncleak
