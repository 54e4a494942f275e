// Containers that only grow: a queue nobody drains, listeners nobody removes, a cache without a bound.
//
// Used by src/live, which names those that qualify. Pure: compares what successive looks saw.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

namespace asyncleak::census {

struct ContainerRecord {
  std::uint64_t address = 0;
  std::uint64_t length = 0;  // items
  std::uint32_t type = 0;    // Type::index
};
// Shorter ones are not remembered: a process has tens of thousands of them.
constexpr std::uint64_t shortest_watched_container = 64;

class GrowthWatch {
 public:
  void look(const std::vector<ContainerRecord>& containers, std::int64_t now_ns);

  // Those that have grown, and never shrunk, over several looks and seconds: fastest first. Once it has, a container
  // stays in the list for as long as it exists, so that one can see it end.
  [[nodiscard]] std::vector<ContainerRecord> growing() const;

 private:
  struct Seen {
    ContainerRecord last;
    std::uint64_t first_length = 0;
    std::int64_t first_ns = 0;
    std::uint32_t looks = 0, grown = 0;
    std::uint32_t generation = 0;
    bool qualified = false;
  };
  std::unordered_map<std::uint64_t, Seen> seen_;  // by address
  std::uint32_t generation_ = 0;
};

}  // namespace asyncleak::census
