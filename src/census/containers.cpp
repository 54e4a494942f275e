// Objects: the items of list, tuple, set, deque and dict.
#include "census/dict_keys.h"
#include "census/objects.h"

#include <algorithm>
#include <array>

namespace asyncleak::census {

bool Objects::each_sequence_item(std::uint64_t first, std::uint64_t count, const EachItem& each) const {
  constexpr std::uint64_t at_once = 512;
  std::array<std::uint64_t, at_once> items;
  for (std::uint64_t done = 0; done < count; done += at_once) {
    const std::span<std::uint64_t> part(items.data(), std::min(at_once, count - done));
    if (!heap_->memory->read(first + done * sizeof(std::uint64_t), std::as_writable_bytes(part))) return false;
    for (const auto item : part) {
      if (item != 0 && !each(item)) return true;  // 0: torn, or a tuple under construction
    }
  }
  return true;
}

bool Objects::each_set_item(std::uint64_t set, const EachItem& each) const {
  struct Entry {
    std::uint64_t key;
    std::int64_t hash;
  };
  constexpr std::uint64_t at_once = 256, largest_mask = (std::uint64_t{1} << 30) - 1;
  const auto mask = heap_->memory->value<std::uint64_t>(set + heap_->objects.set_mask);
  const auto table = heap_->word(set + heap_->objects.set_table);
  if (!mask || *mask > largest_mask || (*mask & (*mask + 1)) != 0 || table == 0) return false;
  std::array<Entry, at_once> entries;
  for (std::uint64_t done = 0; done <= *mask; done += at_once) {
    const std::span<Entry> part(entries.data(), std::min(at_once, *mask + 1 - done));
    if (!heap_->memory->read(table + done * sizeof(Entry), std::as_writable_bytes(part))) return false;
    for (const auto& entry : part) {
      // A removed key leaves a dummy, whose hash no object has: Objects/setobject.c set_discard_entry.
      if (entry.key != 0 && entry.hash != -1 && !each(entry.key)) return true;
    }
  }
  return true;
}

bool Objects::each_deque_item(std::uint64_t deque, const EachItem& each) const {
  // Modules/_collectionsmodule.c: BLOCKLEN items between the links to the left and to the right.
  constexpr std::uint64_t block_items = 64, word = sizeof(std::uint64_t), right_link = (block_items + 1) * word;
  const auto left = length(deque);
  auto index = heap_->memory->value<std::uint64_t>(deque + heap_->objects.deque_left_index);
  auto block = heap_->word(deque + heap_->objects.deque_left);
  if (!left || !index || *index > block_items) return false;
  std::uint64_t first = *index, seen = block, hops = 0;
  bool more = true;
  for (auto rest = *left; rest > 0;) {
    const auto count = std::min(block_items - first, rest);
    const auto counted = [&](std::uint64_t item) { return more = each(item); };
    if (block == 0 || !each_sequence_item(block + (1 + first) * word, count, counted)) return false;
    if (!more) return true;
    rest -= count;
    first = 0;
    block = heap_->word(block + right_link);
    // Torn links can form a circle: met again within twice its length (Brent).
    if (block == seen) return rest == 0;
    ++hops;
    if ((hops & (hops - 1)) == 0) seen = block;
  }
  return true;
}

bool Objects::each_item(std::uint64_t container, const EachItem& each) const {
  const Type* type = type_of(container);
  if (type == nullptr) return false;
  switch (type->kind) {
    case Kind::list:
    case Kind::tuple: {
      const auto count = length(container);
      const bool list = type->kind == Kind::list;
      const auto first =
          list ? heap_->word(container + heap_->objects.list_items) : container + heap_->layout.tuple_items;
      return count && each_sequence_item(first, *count, each);
    }
    case Kind::set:
      return each_set_item(container, each);
    case Kind::deque:
      return each_deque_item(container, each);
    default:
      return false;
  }
}

bool Objects::each_entry(std::uint64_t dict, const EachEntry& each) const {
  const auto keys = read_keys(*heap_, heap_->word(dict + heap_->layout.dict_keys));
  const auto values = heap_->memory->value<std::uint64_t>(dict + heap_->objects.dict_values);
  if (!keys || !values || heap_->word(dict + heap_->objects.dict_used) > keys->used) return false;
  if (*values == 0) {
    return each_key(*heap_, *keys, [&](std::uint64_t, std::uint64_t key, std::uint64_t value) {
      return key == 0 || value == 0 || each(key, value);
    });
  }
  // Split: the keys are the class's, the values this dict's own.
  const auto& objects = heap_->objects;
  const auto first = *values + (objects.values_first == AL_ABSENT ? 0 : objects.values_first);
  bool readable = true;
  const bool followed = each_key(*heap_, *keys, [&](std::uint64_t index, std::uint64_t key, std::uint64_t) {
    const auto value = heap_->memory->value<std::uint64_t>(first + index * sizeof(std::uint64_t));
    readable = readable && value.has_value();
    return readable && (key == 0 || *value == 0 || each(key, *value));
  });
  return followed && readable;
}

}  // namespace asyncleak::census
