// What the memory modes counted, as part of a Sample.
//
// Used by map_reader.cpp. Cost is O(sites + lines), never O(blocks).
#pragma once

#include "probe/identities.h"
#include "probe/memory_session.h"
#include "sample/allocations.h"

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace asyncleak::probe {

class AllocationReader {
 public:
  // MEMORY null: no mode was ever switched on. All outlive this, which is for one sample.
  AllocationReader(const MemorySession* memory, const Identities& identities, std::int64_t now_ns);

  // Nullopt: the allocations of its process are not counted.
  [[nodiscard]] std::optional<SiteAllocations> of(std::uint32_t id, const al_site& site) const;

 private:
  void read_lines();

  const MemorySession* memory_;
  const Identities& identities_;
  std::int64_t now_ns_;
  std::map<std::uint32_t, al_memory> counted_;                  // by process id
  std::map<std::uint32_t, std::vector<AllocationLine>> lines_;  // by site id
};

}  // namespace asyncleak::probe
