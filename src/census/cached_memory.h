// The target's memory through a cache of pages: a walk over neighbouring objects costs one system call a page.
//
// Used by every walk of this folder. What it shows is as old as the first read of the page: forget() before
// a new look, and after it, which gives the memory back. Bounded: the oldest pages go first.
#pragma once

#include "python/memory.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

namespace asyncleak::census {

// Not of malloc: what is given back leaves this process, whatever was allocated since.
struct Unmap {
  std::size_t bytes = 0;
  void operator()(std::byte* at) const;
};
using AddressSpace = std::unique_ptr<std::byte[], Unmap>;

class CachedMemory final : public python::RemoteMemory {
 public:
  static constexpr std::size_t page_bytes = 4096;
  CachedMemory(const python::RemoteMemory* source, std::size_t most_bytes);
  [[nodiscard]] Result<void> read(std::uint64_t address, std::span<std::byte> out) const override;
  void forget();

 private:
  [[nodiscard]] const std::byte* page(std::uint64_t number) const;  // null: not readable

  const python::RemoteMemory* source_;
  std::size_t most_pages_;
  mutable std::unordered_map<std::uint64_t, std::uint32_t> slots_;  // page number -> slot
  mutable AddressSpace bytes_;
  mutable std::vector<std::uint64_t> owners_;  // page number in the slot
  mutable std::uint32_t next_ = 0;             // the slot to be taken next: first in, first out
};

}  // namespace asyncleak::census
