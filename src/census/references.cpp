#include "census/references.h"

#include "census/memory_map.h"

#include <algorithm>
#include <bitset>
#include <unordered_set>

namespace asyncleak::census {
namespace {

struct Place {
  std::uint64_t address = 0, target = 0;
};

// More places than anybody reads: a target that everything refers to (a type, None) is none of a task's.
constexpr std::size_t most_places = 1U << 16;
// Of an instance's attributes that are in no dict: at most 30 (Objects/dictobject.c SHARED_KEYS_MAX_SIZE).
constexpr std::uint64_t most_values_bytes = 30 * sizeof(std::uint64_t);

class WordScan {
 public:
  explicit WordScan(std::span<const std::uint64_t> targets) : targets_(targets.begin(), targets.end()) {
    for (const auto target : targets) maybe_.set(print(target));
  }

  Result<std::vector<Place>> run(const Heap& heap, std::span<const Range> ranges) {
    std::vector<Place> places;
    std::vector<std::uint64_t> buffer(words_at_once);
    for (const Range& range : ranges) {
      for (std::uint64_t at = range.start; at < range.end; at += words_at_once * sizeof(std::uint64_t)) {
        const auto count = std::min<std::uint64_t>(words_at_once, (range.end - at) / sizeof(std::uint64_t));
        const std::span words(buffer.data(), static_cast<std::size_t>(count));
        if (!heap.uncached().read(at, std::as_writable_bytes(words))) continue;  // unmapped meanwhile
        for (std::size_t i = 0; i < words.size(); i++) {
          if (!maybe_[print(words[i])] || !targets_.contains(words[i])) continue;
          places.push_back({at + i * sizeof(std::uint64_t), words[i]});
          if (places.size() > most_places) return fail("more than 65,536 places refer to them");
        }
      }
    }
    return places;  // in the order of addresses, as the ranges are
  }

 private:
  static constexpr std::size_t words_at_once = 1U << 16;
  static constexpr std::size_t prints = 1U << 16;
  static std::size_t print(std::uint64_t address) { return (address >> 4 ^ address >> 20) & (prints - 1); }

  std::bitset<prints> maybe_;
  std::unordered_set<std::uint64_t> targets_;
};

class Owners {
 public:
  Owners(const Heap& heap, const std::vector<Place>& places) : where_(heap.objects), heap_(heap), places_(places) {}

  void operator()(const FoundObject& found) {
    const Type& type = *found.type;
    if (type.kind == Kind::weak_reference) return;
    const bool managed = (type.flags & (type_managed_dict | type_managed_weakref)) != 0;
    constexpr std::uint64_t pre_header = 32;  // Include/internal/pycore_object.h: values or weakrefs, dict, GC head
    add(found, found.address - (managed ? pre_header : 0), found.address + size_of(found), true);
    switch (type.kind) {
      case Kind::list:
        add_storage(found, found.field<std::uint64_t>(where_.list_items),
                    8 * found.field<std::uint64_t>(where_.list_allocated));
        break;
      case Kind::set:
        add_storage(found, found.field<std::uint64_t>(where_.set_table),
                    16 * (found.field<std::uint64_t>(where_.set_mask) + 1));
        break;
      case Kind::dict:
        add_dict(found);
        break;
      case Kind::deque:
        add_deque(found);
        break;
      default:
        if (managed) add_values(found);
        break;
    }
  }

  std::vector<Reference> out;

 private:
  [[nodiscard]] std::uint64_t size_of(const FoundObject& found) const {
    const auto& type = *found.type;
    auto size = static_cast<std::uint64_t>(type.basicsize);
    const bool generator = type.kind >= Kind::coroutine && type.kind <= Kind::async_generator;
    if (generator && (where_.flags & python::obj_frame_embedded) != 0) {
      size += 8 * slots_of(found);
    } else if (type.itemsize > 0 && (type.kind != Kind::frame || (where_.flags & python::obj_frame_embedded) == 0)) {
      constexpr std::uint64_t most_items = 1U << 26;
      const auto items = found.field<std::uint64_t>(heap_.layout.tuple_size);  // PyVarObject.ob_size
      size += std::min(items, most_items) * static_cast<std::uint64_t>(type.itemsize);
    }
    // The values of an instance follow it.
    if ((type.flags & type_inline_values) != 0) size += where_.values_first + most_values_bytes;
    return size;
  }

  // A generator that holds its frame has a tp_itemsize, yet no ob_size: its code says how many locals and stack slots.
  [[nodiscard]] std::uint64_t slots_of(const FoundObject& found) const {
    constexpr std::uint64_t tag_bits = 3, most_slots = 1U << 14;
    const auto code = found.field<std::uint64_t>(heap_.layout.coro_code) & ~tag_bits;
    const auto count = [&](std::uint16_t field) -> std::uint64_t {
      return heap_.memory->value<std::uint32_t>(code + field).value_or(0);
    };
    return std::min(count(where_.code_nlocalsplus) + count(where_.code_stacksize), most_slots);
  }

  void add(const FoundObject& found, std::uint64_t start, std::uint64_t end, bool inside) {
    auto place = std::ranges::lower_bound(places_, start, {}, &Place::address);
    for (; place != places_.end() && place->address < end; ++place) {
      const auto offset = static_cast<std::int64_t>(place->address - found.address);
      out.push_back({place->target, found.address, found.type, inside ? offset : stored_elsewhere});
    }
  }

  void add_storage(const FoundObject& found, std::uint64_t start, std::uint64_t bytes) {
    constexpr std::uint64_t largest = std::uint64_t{1} << 36;
    if (start == 0 || bytes > largest) return;
    const bool within = start >= found.address && start < found.address + size_of(found);
    if (!within) add(found, start, start + bytes, false);
  }

  void add_dict(const FoundObject& found) {
    const auto keys = found.field<std::uint64_t>(heap_.layout.dict_keys);
    if (keys == 0 || places_.empty()) return;
    const auto& kernel = heap_.layout;
    std::uint64_t bytes = 0;
    if (kernel.keys_log2_index_bytes == AL_ABSENT) {
      const auto size = heap_.word(keys + where_.keys_size);
      bytes = kernel.keys_indices + size * 8 + size * 24;  // indices of 1 to 8 bytes: an upper bound
    } else {
      const auto head = heap_.word(keys + 8);  // log2 size, log2 index bytes, kind
      const auto log2_size = head & 63, log2_index = head >> 8 & 63;
      if (log2_size > 40 || log2_index > 43) return;
      bytes = kernel.keys_indices + (std::uint64_t{1} << log2_index) + (std::uint64_t{24} << log2_size);
    }
    add_storage(found, keys, bytes);
    const auto values = found.field<std::uint64_t>(where_.dict_values);
    if (values != 0) add_storage(found, values, where_.values_first + most_values_bytes);
  }

  void add_deque(const FoundObject& found) {
    constexpr std::uint64_t block_items = 64, block_bytes = (block_items + 2) * 8;  // Modules/_collectionsmodule.c
    const auto last = found.field<std::uint64_t>(where_.deque_right);
    auto block = found.field<std::uint64_t>(where_.deque_left);
    const auto length = found.field<std::uint64_t>(heap_.layout.tuple_size);
    for (std::uint64_t left = length / block_items + 2; left > 0 && block != 0; left--) {
      add_storage(found, block, block_bytes);
      if (block == last) break;
      block = heap_.word(block + block_bytes - 8);
    }
  }

  // 3.11 and 3.12 keep an instance's values in an array of their own.
  void add_values(const FoundObject& found) {
    const bool tagged = (where_.flags & python::obj_values_tagged) != 0;
    if (!tagged && (where_.flags & python::obj_values_pointer) == 0) return;
    auto values = heap_.word(found.address + static_cast<std::uint64_t>(std::int64_t{where_.instance_values}));
    if (tagged) values = (values & 1) != 0 ? values + 1 : 0;
    add_storage(found, values, most_values_bytes);
  }

  const python::ObjectLayout& where_;
  const Heap& heap_;
  const std::vector<Place>& places_;
};

}  // namespace

Result<std::vector<Reference>> find_references(const Heap& heap, TypeTable& types,
                                               std::span<const std::uint64_t> targets) {
  const auto ranges = heap_ranges(heap.pid);
  if (!ranges) return fail(ranges.error());
  const auto places = WordScan(targets).run(heap, ranges->resident);
  if (!places) return fail(places.error());
  Owners owners(heap, *places);
  HeapScan(&heap, &types).run(ranges->resident, owners);
  return std::move(owners.out);
}

}  // namespace asyncleak::census
