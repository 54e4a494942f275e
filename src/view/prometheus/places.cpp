#include "view/prometheus/places.h"

#include <algorithm>
#include <tuple>

namespace asyncleak {
namespace {

bool clearly_worthier(const Worth& a, const Worth& b) {
  constexpr std::uint64_t least_difference = 10;
  if (a.leaking != b.leaking) return a.leaking;
  return a.size >= 2 * b.size && a.size >= b.size + least_difference;
}

}  // namespace

// Ascending; of equals the later one is worth less, so that the order does not depend on the containers.
bool Places::Rank::operator<(const Rank& other) const {
  const auto tied = [](const Rank& rank) { return std::tie(rank.worth.leaking, rank.worth.size, rank.worth.growth); };
  if (tied(*this) != tied(other)) return tied(*this) < tied(other);
  return key > other.key;
}

void Places::take(const Candidate& candidate) {
  const Rank rank{candidate.worth, candidate.key};
  holders_[candidate.key] = candidate;
  ranks_.insert(rank);
  by_group_[candidate.group].insert(rank);
  bytes_ += candidate.bytes;
}

void Places::leave(std::uint64_t key) {
  const auto holder = holders_.find(key);
  const Rank rank{holder->second.worth, key};
  ranks_.erase(rank);
  const auto group = by_group_.find(holder->second.group);
  group->second.erase(rank);
  if (group->second.empty()) by_group_.erase(group);
  bytes_ -= holder->second.bytes;
  holders_.erase(holder);
}

bool Places::full(const Candidate& candidate) const {
  const auto group = by_group_.find(candidate.group);
  return group != by_group_.end() && group->second.size() >= limits_.per_group;
}

bool Places::seat(const Candidate& candidate) {
  const bool in_group = full(candidate);
  const bool fits = bytes_ + candidate.bytes <= limits_.bytes;
  if (!in_group && fits) {
    take(candidate);
    return true;
  }
  const std::set<Rank>& ranks = in_group ? by_group_.at(candidate.group) : ranks_;
  if (ranks.empty()) return false;
  const Rank least = *ranks.begin();
  const std::size_t freed = holders_.at(least.key).bytes;
  if (!clearly_worthier(candidate.worth, least.worth)) return false;
  if (bytes_ - freed + candidate.bytes > limits_.bytes) return false;
  leave(least.key);
  take(candidate);
  return true;
}

void Places::assign(const std::vector<Candidate>& candidates) {
  std::vector<Candidate> waiting;
  const auto before = std::move(holders_);
  holders_.clear();
  ranks_.clear();
  by_group_.clear();
  bytes_ = 0;
  for (const Candidate& candidate : candidates) {
    if (before.contains(candidate.key)) {
      take(candidate);
    } else {
      waiting.push_back(candidate);
    }
  }
  while (bytes_ > limits_.bytes) leave(ranks_.begin()->key);  // names have grown: a unit that was not known
  std::sort(waiting.begin(), waiting.end(), [](const Candidate& a, const Candidate& b) {
    return Rank{b.worth, b.key} < Rank{a.worth, a.key};
  });
  for (const Candidate& candidate : waiting) seat(candidate);
}

}  // namespace asyncleak
