// Every collected object of a process, by a linear scan of its resident anonymous memory.
//
// Used by snapshot.cpp and holders.cpp. CPython objects never move, so a scan, unlike a walk of the
// collector's lists, cannot be torn: an object that exists from before until after the scan is found
// once, whatever the program does meanwhile, and whichever allocator it came from. An object is
// recognised by the head the collector puts before it (Include/internal/pycore_gc.h: two links, zeroed
// when it is untracked; free-threaded builds: the tracked bit), a plausible reference count, and a
// type field that names a type with Py_TPFLAGS_HAVE_GC.
// Knows no asyncio. Memory used: one buffer.
#pragma once

#include "census/heap.h"
#include "census/memory_map.h"
#include "census/type_table.h"
#include "util/result.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace asyncleak::census {

struct FoundObject {
  std::uint64_t address = 0;
  const Type* type = nullptr;
  std::span<const std::byte> bytes;  // from the object's address on, as much as was read: at least its basic size
                                     // unless the memory ends there

  // A field of the object; 0 when it lies beyond what was read.
  template <class T>
  [[nodiscard]] T field(std::size_t offset) const {
    T value{};
    if (offset + sizeof value <= bytes.size()) std::memcpy(&value, bytes.data() + offset, sizeof value);
    return value;
  }
};

struct ScanStats {
  std::uint64_t objects = 0;
  std::uint64_t unreadable_bytes = 0;  // unmapped meanwhile
};

class HeapScan {
 public:
  HeapScan(const Heap* heap, TypeTable* types);

  // Calls each(FoundObject) for every object in RANGES. Where MEMORY is unmapped meanwhile, its objects are gone too.
  template <class Each>
  ScanStats run(std::span<const Range> ranges, Each&& each) {
    ScanStats stats;
    for (const Range& range : ranges) {
      for (std::uint64_t at = range.start; at < range.end; at += chunk_bytes) {
        const auto chunk = read_chunk(at, range.end, stats);
        scan_chunk(at, chunk, stats, each);
      }
    }
    return stats;
  }

 private:
  static constexpr std::size_t chunk_bytes = std::size_t{1} << 20;
  static constexpr std::size_t tail_bytes = 4096;  // of the next chunk: an object that begins in this one ends there
  static constexpr std::size_t grain = 16;         // alignment of every allocator CPython uses on 64-bit machines

  struct Chunk {
    std::span<const std::byte> bytes;
    std::size_t own = 0;  // heads beyond belong to the next chunk
  };
  [[nodiscard]] Chunk read_chunk(std::uint64_t at, std::uint64_t end, ScanStats& stats);
  // Null: none, or of objects the collector does not know.
  [[nodiscard]] const Type* type_at(std::uint64_t address) {
    auto& slot = slots_[(address >> 4 ^ address >> 20) & (slots_.size() - 1)];
    if (slot.address == address) return slot.type;
    return learn(slot, address);
  }
  struct Slot {
    std::uint64_t address = 0;
    const Type* type = nullptr;
  };
  const Type* learn(Slot& slot, std::uint64_t address);

  static bool is_pointer(std::uint64_t word) { return word >= 0x10000 && word >> 47 == 0; }
  // Offset of the object from a head that looks alive; 0: none.
  [[nodiscard]] std::size_t object_behind(const std::byte* head) const {
    std::uint64_t words[4];
    std::memcpy(words, head, sizeof words);
    if (!is_pointer(words[3]) || words[3] % 8 != 0) return 0;
    if (free_threaded_) {
      // Include/object.h: u16 flags, u8 mutex, u8 gc bits, u32 local count; the low bytes of a pointer differ.
      const auto bits = static_cast<std::uint8_t>(head[heap_->objects.gc_bits]);
      const bool plausible = (words[1] & 0xff00) == 0 && (words[1] >> 16 & 0xff) <= 3;
      return (bits & 1) != 0 && plausible ? none_before : 0;
    }
    // Untracking zeroes both links but for the "finalized" bit; while the collector runs, the second one
    // holds a count and the "collecting" bit (Python/gc.c update_refs).
    if (!is_pointer(words[0] & link) || ((words[1] & link) == 0 && (words[1] & collecting) == 0)) return 0;
    if (words[1] >> 47 != 0) return 0;
    const auto count = static_cast<std::uint32_t>(words[2]);
    const auto above = static_cast<std::uint16_t>(words[2] >> 32);
    return count != 0 && above == 0 ? grain : 0;
  }
  static constexpr std::uint64_t link = ~std::uint64_t{3}, collecting = 2;
  static constexpr std::size_t none_before = static_cast<std::size_t>(-1);

  // Other memory can look like an object by chance: the bases of a class on a low heap, an immortal int whose value is
  // the address of a type. So what is counted (asyncio's kinds), or has an incredible reference count, must be linked
  // to by its neighbours.
  [[nodiscard]] bool is_surely_one(std::uint64_t address, const std::byte* head, Kind kind) const {
    constexpr std::uint64_t lowest_heap = 0x10000;
    std::uint64_t words[3];
    std::memcpy(words, head, sizeof words);
    const bool credible = static_cast<std::uint32_t>(words[2]) < lowest_heap;
    if ((credible && !is_asyncio(kind)) || free_threaded_ || (words[1] & collecting) != 0) return true;
    // Arrays of classes are many, objects that change while we look are few: only those are worth a second look.
    const int looks = is_asyncio(kind) ? (credible ? 4 : 1) : 0;
    return is_linked(address, words[0], words[1], looks);
  }
  [[nodiscard]] bool is_linked(std::uint64_t head, std::uint64_t next, std::uint64_t previous, int looks) const;

  template <class Each>
  void scan_chunk(std::uint64_t at, const Chunk& chunk, ScanStats& stats, Each& each) {
    constexpr std::size_t head_bytes = 32;
    for (std::size_t offset = 0; offset < chunk.own && offset + head_bytes <= chunk.bytes.size(); offset += grain) {
      const std::size_t behind = object_behind(chunk.bytes.data() + offset);
      if (behind == 0) continue;
      std::uint64_t type_address = 0;
      std::memcpy(&type_address, chunk.bytes.data() + offset + 24, sizeof type_address);
      const Type* type = type_at(type_address);
      if (type == nullptr || !is_surely_one(at + offset, chunk.bytes.data() + offset, type->kind)) {
        continue;
      }
      stats.objects++;
      const std::size_t start = offset + (behind == none_before ? 0 : behind);
      each(FoundObject{at + start, type, chunk.bytes.subspan(start)});
    }
  }

  const Heap* heap_;
  TypeTable* types_;
  bool free_threaded_;
  std::vector<std::byte> buffer_;
  std::vector<Slot> slots_;
};

}  // namespace asyncleak::census
