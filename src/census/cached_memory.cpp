#include "census/cached_memory.h"

#include <sys/mman.h>
#include <algorithm>
#include <array>
#include <cstring>

namespace asyncleak::census {
namespace {

// A list of thousands of items passes through once: kept, it would only push out what is looked at again.
constexpr std::size_t uncached_from = 8 * CachedMemory::page_bytes;

// Resident as it is filled.
AddressSpace address_space(std::size_t bytes) {
  void* const at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return AddressSpace(at == MAP_FAILED ? nullptr : static_cast<std::byte*>(at), Unmap{bytes});
}

}  // namespace

void Unmap::operator()(std::byte* at) const { munmap(at, bytes); }

CachedMemory::CachedMemory(const python::RemoteMemory* source, std::size_t most_bytes)
    : source_(source), most_pages_(std::max<std::size_t>(1, most_bytes / page_bytes)) {}

void CachedMemory::forget() {
  slots_.clear();
  owners_.clear();
  bytes_.reset();
  next_ = 0;
}

const std::byte* CachedMemory::page(std::uint64_t number) const {
  if (const auto known = slots_.find(number); known != slots_.end()) return bytes_.get() + known->second * page_bytes;
  std::array<std::byte, page_bytes> fresh;
  if (!source_->read(number * page_bytes, fresh)) return nullptr;
  if (!bytes_) bytes_ = address_space(most_pages_ * page_bytes);
  if (!bytes_) return nullptr;
  const std::uint32_t slot = next_;
  if (slot == owners_.size()) {
    owners_.push_back(number);
  } else {
    slots_.erase(owners_[slot]);
    owners_[slot] = number;
  }
  next_ = static_cast<std::uint32_t>((slot + 1) % most_pages_);
  slots_[number] = slot;
  std::byte* kept = bytes_.get() + slot * page_bytes;
  std::memcpy(kept, fresh.data(), page_bytes);
  return kept;
}

Result<void> CachedMemory::read(std::uint64_t address, std::span<std::byte> out) const {
  // Past the end of the address space: the source has the words for it.
  if (out.size() >= uncached_from || address + out.size() < address) return source_->read(address, out);
  while (!out.empty()) {
    const std::uint64_t within_page = address % page_bytes;
    const std::byte* found = page(address / page_bytes);
    if (found == nullptr) return source_->read(address, out);
    const auto count = std::min<std::size_t>(out.size(), page_bytes - within_page);
    std::memcpy(out.data(), found + within_page, count);
    out = out.subspan(count);
    address += count;
  }
  return {};
}

}  // namespace asyncleak::census
