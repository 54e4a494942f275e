#include "census/growth.h"

#include <algorithm>

namespace asyncleak::census {
namespace {

constexpr std::uint32_t fewest_looks = 4;
constexpr std::int64_t shortest_ns = 3'000'000'000;
constexpr std::uint64_t least_growth = 64;

}  // namespace

void GrowthWatch::look(const std::vector<ContainerRecord>& containers, std::int64_t now_ns) {
  generation_++;
  for (const auto& container : containers) {
    auto& seen = seen_[container.address];
    const bool same = seen.looks > 0 && seen.last.type == container.type;
    if (!same || container.length < seen.last.length) {
      // Shrunk, or another one at the same address: it begins anew.
      const bool stays = same && seen.qualified;
      seen = {container, container.length, now_ns, 0, 0, 0, stays};
    }
    seen.grown += container.length > seen.last.length ? 1 : 0;
    seen.looks++;
    seen.last = container;
    seen.generation = generation_;
    const auto growth = container.length - seen.first_length;
    if (seen.looks >= fewest_looks && now_ns - seen.first_ns >= shortest_ns && 2 * seen.grown >= seen.looks &&
        growth >= std::max(least_growth, seen.first_length / 10)) {
      seen.qualified = true;
    }
  }
  std::erase_if(seen_, [&](const auto& entry) { return entry.second.generation != generation_; });
}

std::vector<ContainerRecord> GrowthWatch::growing() const {
  std::vector<const Seen*> qualified;
  for (const auto& [address, seen] : seen_) {
    if (seen.qualified) qualified.push_back(&seen);
  }
  std::ranges::sort(qualified, std::ranges::greater{},
                    [](const Seen* seen) { return seen->last.length - seen->first_length; });
  std::vector<ContainerRecord> out;
  out.reserve(qualified.size());
  for (const auto* seen : qualified) out.push_back(seen->last);
  return out;
}

}  // namespace asyncleak::census
