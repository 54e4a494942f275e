// Bounds-checked little-endian reads, shared by the decoders of this folder.
//
// Used inside src/elf only. Knows nothing of what the bytes mean.
#pragma once

#include "elf/image.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <type_traits>

namespace asyncleak::elf {

template <class T>
[[nodiscard]] std::optional<T> read_at(std::span<const std::byte> bytes, std::uint64_t offset) {
  static_assert(std::is_trivially_copyable_v<T>);
  if (offset > bytes.size() || bytes.size() - offset < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

// What the file holds from vaddr to the end of its segment; empty when it holds nothing there.
[[nodiscard]] inline std::span<const std::byte> rest_of_segment(const Image& image, std::uint64_t vaddr) {
  for (const Segment& segment : image.segments()) {
    if (vaddr < segment.vaddr || vaddr - segment.vaddr >= segment.file_size) continue;
    const std::uint64_t skip = vaddr - segment.vaddr;
    return image.file().subspan(segment.file_offset + skip, segment.file_size - skip);
  }
  return {};
}

// The same, at most LENGTH bytes of it.
[[nodiscard]] inline std::span<const std::byte> up_to(const Image& image, std::uint64_t vaddr, std::uint64_t length) {
  const auto rest = rest_of_segment(image, vaddr);
  return rest.first(rest.size() < length ? rest.size() : length);
}

}  // namespace asyncleak::elf
