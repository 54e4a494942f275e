// What tells one pattern of leaking from another, read from some objects of a site.
//
// Used by process_census.cpp, after each look. Bounded: of sites with enough objects some each; what code uses is
// read once per site. Says what is so, not what it means: that is src/model/hints.
#pragma once

#include "census/grouping.h"
#include "live/process_reader.h"
#include "probe/map_reader.h"

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <unordered_set>
#include <vector>

namespace asyncleak::live {

// The tasks of a site at one look.
struct TasksSeen {
  const SiteIdentity* identity = nullptr;
  std::uint64_t count = 0;
  std::span<const std::uint64_t> some_pending;
  std::uint64_t in_circle = 0, creators = 0;  // as in PatternEvidence
};

class SiteEvidence {
 public:
  // nullopt: too few to look for a pattern.
  [[nodiscard]] std::optional<PatternEvidence> of_tasks(const TasksSeen& seen, const probe::SiteCode& code,
                                                        ProcessReader& reader);
  [[nodiscard]] static std::optional<PatternEvidence> of_group(const census::Group& group, ProcessReader& reader);

  // Which tasks wait only for each other, now and at the look before.
  void look_for_circles(const census::Snapshot& snapshot, ProcessReader& reader);
  [[nodiscard]] const std::unordered_set<std::uint64_t>& in_circles() const { return in_circles_; }
  // "3 tasks wait only for each other: `a`, `b`"; empty: none.
  [[nodiscard]] std::string deadlock(ProcessReader& reader) const;

 private:
  std::map<std::uint64_t, std::vector<std::vector<std::string>>> creator_uses_;  // by SiteIdentity::id
  std::unordered_set<std::uint64_t> suspects_, in_circles_;                      // task addresses
};

}  // namespace asyncleak::live
