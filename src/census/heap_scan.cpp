#include "census/heap_scan.h"

#include <algorithm>

namespace asyncleak::census {

HeapScan::HeapScan(const Heap* heap, TypeTable* types)
    : heap_(heap),
      types_(types),
      free_threaded_((heap->objects.flags & python::obj_gc_head) == 0),
      buffer_(chunk_bytes + tail_bytes),
      slots_(1U << 14) {}

const Type* HeapScan::learn(Slot& slot, std::uint64_t address) {
  const Type* type = types_->at(address);
  slot = {address, type != nullptr && (type->flags & type_have_gc) != 0 ? type : nullptr};
  return slot.type;
}

bool HeapScan::is_linked(std::uint64_t head, std::uint64_t next, std::uint64_t previous, int looks) const {
  const auto agree = [&](const python::RemoteMemory& memory) {
    return (memory.value<std::uint64_t>((next & link) + 8).value_or(0) & link) == head ||
           (memory.value<std::uint64_t>(previous & link).value_or(0) & link) == head;
  };
  if (agree(*heap_->memory)) return true;
  // Its neighbours may have come and gone since: once more, as things are now.
  const auto& now = heap_->uncached();
  for (; looks > 0; looks--) {
    next = now.value<std::uint64_t>(head).value_or(0);
    previous = now.value<std::uint64_t>(head + 8).value_or(0);
    if (next == 0) return false;
    if ((previous & collecting) != 0 || agree(now)) return true;
  }
  return false;
}

HeapScan::Chunk HeapScan::read_chunk(std::uint64_t at, std::uint64_t end, ScanStats& stats) {
  const auto own = std::min<std::uint64_t>(chunk_bytes, end - at);
  const auto wanted = std::min<std::uint64_t>(chunk_bytes + tail_bytes, end - at);
  const std::span all(buffer_.data(), static_cast<std::size_t>(wanted));
  if (heap_->uncached().read(at, all)) return {all, static_cast<std::size_t>(own)};
  // Part of it was unmapped: page by page, what is gone as zeroes.
  constexpr std::size_t page = 4096;
  for (std::size_t offset = 0; offset < all.size(); offset += page) {
    const auto piece = all.subspan(offset, std::min(page, all.size() - offset));
    if (heap_->uncached().read(at + offset, piece)) continue;
    std::ranges::fill(piece, std::byte{0});
    stats.unreadable_bytes += offset < own ? piece.size() : 0;
  }
  return {all, static_cast<std::size_t>(own)};
}

}  // namespace asyncleak::census
