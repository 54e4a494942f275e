// Who has series of its own when not all can, and keeps them while it lives.
//
// Used by sites.cpp and processes.cpp. Pure; knows nothing of tasks or of text.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <unordered_map>
#include <vector>

namespace asyncleak {

// How much one deserves a place.
struct Worth {
  bool leaking = false;
  std::uint64_t size = 0;
  double growth = 0;
};

struct Candidate {
  std::uint64_t key = 0;    // of a site or process, as long as it lives
  std::uint64_t group = 0;  // of a site: its process
  Worth worth;
  std::size_t bytes = 0;  // its series take at most
};

struct PlaceLimits {
  std::size_t per_group = 0, bytes = 0;
};

// A place that is free goes to the worthiest. One that is taken changes hands only for somebody clearly worthier: for a
// leak, or for twice as much. Two of about the same size would otherwise take turns at every refresh, and series that
// come and go are what a metrics server pays most for.
class Places {
 public:
  explicit Places(PlaceLimits limits) : limits_(limits) {}
  // Who is not among CANDIDATES has ended.
  void assign(const std::vector<Candidate>& candidates);
  [[nodiscard]] bool has(std::uint64_t key) const { return holders_.contains(key); }

 private:
  struct Rank {
    Worth worth;
    std::uint64_t key = 0;
    bool operator<(const Rank& other) const;
  };
  void take(const Candidate& candidate);
  void leave(std::uint64_t key);
  // Whether it was given a place, perhaps somebody's.
  bool seat(const Candidate& candidate);
  [[nodiscard]] bool full(const Candidate& candidate) const;

  PlaceLimits limits_;
  std::size_t bytes_ = 0;
  std::unordered_map<std::uint64_t, Candidate> holders_;
  std::set<Rank> ranks_;                              // of the holders
  std::map<std::uint64_t, std::set<Rank>> by_group_;  // the same
};

}  // namespace asyncleak
