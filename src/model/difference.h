// What became more between two moments, site by site: of one recording, or of two builds.
//
// Used by src/cli (diff), shown by src/view/diff_*.cpp. Pure: two reports in, rows out. Sites are compared by what
// stands in the source (site_key.h), over all processes of each side.
#pragma once

#include "model/report.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace asyncleak {

struct Moment {
  Report report;
  double watched_s = 0;       // since the recording began
  bool same_session = false;  // of the later one: the earlier is of the same recording
};

// On one side; nullopt: not observed.
struct SiteSide {
  std::shared_ptr<const SiteIdentity> identity;  // of one of its processes; nullptr: the site is not there
  std::uint64_t outstanding = 0;
  std::optional<std::uint64_t> pending, done, created_total, destroyed_total;
  std::optional<std::uint64_t> bytes, allocated_bytes, held_bytes;
  std::optional<double> growth_per_min;
  std::optional<Verdict> verdict;  // the worst of its processes'
};

// What had to be ignored to see that two sites are the same.
enum class Pairing { exact, lines, folders, lines_and_folders, none };
[[nodiscard]] std::string_view name_of(Pairing pairing);  // "exact", "lines", "folders", "lines-and-folders", "none"

struct SiteDifference {
  SiteSide before, after;
  Pairing pairing = Pairing::none;  // none: new, or vanished
  // How many more there are than the load, or the longer time of a leak that was there before, accounts for.
  double unexplained = 0;
  std::optional<double> growth_per_min;  // of `unexplained`; nullopt: no time passed
  std::optional<double> bytes;           // difference of the best known of the three

  [[nodiscard]] const SiteIdentity& identity() const { return after.identity ? *after.identity : *before.identity; }
  [[nodiscard]] std::int64_t outstanding() const;  // difference
};

struct Totals {
  std::uint64_t processes = 0, outstanding = 0, created_total = 0;  // of living processes; tasks of all
  std::optional<std::uint64_t> pending, done, rss_bytes, vms_bytes;
};

struct Difference {
  Totals before, after;
  double minutes = 0;                 // in which growth_per_min happened
  std::vector<SiteDifference> sites;  // what grew first, by tasks, then bytes; what became less; what did not change
};

[[nodiscard]] Difference compare(const Moment& before, const Moment& after);

// Whether something about the site differs that a table shows.
[[nodiscard]] bool changed(const SiteDifference& site);

}  // namespace asyncleak
