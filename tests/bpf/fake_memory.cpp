#include "fake_memory.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>

namespace asyncleak::fake {

namespace {

// CALL(page number, offset in it, bytes done, bytes) for each page of [ADDRESS, ADDRESS + SIZE); stops at false.
template <class Call>
bool for_each_page(std::uint64_t address, std::size_t size, std::size_t page_size, Call call) {
  for (std::size_t done = 0; done < size;) {
    const std::size_t offset = (address + done) % page_size;
    const std::size_t bytes = std::min(page_size - offset, size - done);
    if (!call((address + done) / page_size, offset, done, bytes)) return false;
    done += bytes;
  }
  return true;
}

}  // namespace

std::uint64_t Memory::allocate(std::size_t size, std::size_t alignment) {
  constexpr std::size_t gap = 16;  // between two objects
  const std::uint64_t address = (next_ + alignment - 1) / alignment * alignment;
  map(address, size);
  next_ = address + size + gap;
  return address;
}

void Memory::map(std::uint64_t address, std::size_t size) {
  constexpr std::uint8_t rubbish = 0xdb;
  (void)for_each_page(address, size, page_size, [&](std::uint64_t page, std::size_t, std::size_t, std::size_t) {
    const auto [at, added] = pages_.try_emplace(page);
    if (added) at->second.fill(rubbish);
    return true;
  });
}

void Memory::write(std::uint64_t address, const void* bytes, std::size_t size) {
  const auto* from = static_cast<const std::uint8_t*>(bytes);
  (void)for_each_page(address, size, page_size,
                      [&](std::uint64_t page, std::size_t offset, std::size_t done, std::size_t count) {
                        const auto at = pages_.find(page);
                        if (at == pages_.end()) throw std::logic_error("write to memory that was never mapped");
                        std::memcpy(at->second.data() + offset, from + done, count);
                        return true;
                      });
}

bool Memory::read(std::uint64_t address, void* to, std::size_t size) const {
  for (const auto& [from, end] : hidden_) {
    if (address < end && address + size > from) return false;
  }
  auto* bytes = static_cast<std::uint8_t*>(to);
  return for_each_page(address, size, page_size,
                       [&](std::uint64_t page, std::size_t offset, std::size_t done, std::size_t count) {
                         const auto at = pages_.find(page);
                         if (at == pages_.end()) return false;
                         std::memcpy(bytes + done, at->second.data() + offset, count);
                         return true;
                       });
}

}  // namespace asyncleak::fake
