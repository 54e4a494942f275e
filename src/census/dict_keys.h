// A dict's table of keys (PyDictKeysObject), of every line: who reads entries asks this.
//
// Used by containers.cpp, attributes.cpp (keys shared by the instances of a class) and deep_size.cpp.
#pragma once

#include "census/heap.h"

#include <cstdint>
#include <functional>
#include <optional>

namespace asyncleak::census {

struct DictKeys {
  std::uint64_t address = 0;
  std::uint64_t entries = 0;    // address of the first
  std::uint64_t used = 0;       // entries taken, deleted ones included
  std::uint64_t room = 0;       // entries there is space for
  std::uint64_t bytes = 0;      // of the whole table
  std::uint64_t refcount = 0;   // 1: no other dict, and no class, uses it
  std::uint64_t free = 0;       // dk_usable
  std::uint8_t entry_size = 0;  // key at key_offset, value right behind it
  std::uint8_t key_offset = 0;
};

// nullopt: unreadable, or no table that CPython could have made.
[[nodiscard]] std::optional<DictKeys> read_keys(const Heap& heap, std::uint64_t address);

// Entries in the order of insertion; key 0: deleted, or never filled. False from the callback ends the walk.
// Returns false when the memory could not be followed.
using EachKey = std::function<bool(std::uint64_t index, std::uint64_t key, std::uint64_t value)>;
bool each_key(const Heap& heap, const DictKeys& keys, const EachKey& each);

}  // namespace asyncleak::census
