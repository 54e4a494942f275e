// Who refers to an object: every place in memory that holds its address, and the object that place belongs to.
//
// Used by holders.cpp. Two passes over the resident memory, whatever the number of targets: one over
// words, one over objects. Only on request: it costs as much as two censuses.
#pragma once

#include "census/heap_scan.h"
#include "census/objects.h"
#include "util/result.h"

#include <cstdint>
#include <span>
#include <vector>

namespace asyncleak::census {

struct Reference {
  std::uint64_t target = 0;
  std::uint64_t holder = 0;  // the object; a container whose storage lies elsewhere counts as the holder
  const Type* type = nullptr;
  std::int64_t offset = 0;  // of the pointer, from the holder's address; stored_elsewhere for a container's storage
};
constexpr std::int64_t stored_elsewhere = INT64_MIN;

// References to any of TARGETS, but weak ones. Places that belong to no collected object (running frames, C code,
// freed memory) are left out.
[[nodiscard]] Result<std::vector<Reference>> find_references(const Heap& heap, TypeTable& types,
                                                             std::span<const std::uint64_t> targets);

}  // namespace asyncleak::census
