// Python objects read from outside: text, containers, attributes.
//
// Used by the rest of this folder. Every walk is bounded and checks what it follows: memory changes while
// it is read, and may have been garbage before. nullopt / false = could not be read.
#pragma once

#include "census/heap.h"
#include "census/type_table.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace asyncleak::census {

// How a str lies in memory: KIND bytes a character at DATA.
struct StrShape {
  std::uint64_t length = 0;
  std::uint32_t kind = 0;
  bool compact = false, ascii = false;
  std::uint64_t data = 0;
};

struct IntDigits {
  std::uint64_t count = 0;  // of 30 bits
  bool negative = false;
};

class Objects {
 public:
  Objects(const Heap* heap, TypeTable* types) : heap_(heap), types_(types) {}

  [[nodiscard]] const Heap& heap() const { return *heap_; }
  [[nodiscard]] TypeTable& types() const { return *types_; }
  [[nodiscard]] const Type* type_of(std::uint64_t object) const { return types_->of(object); }

  // A length above this is garbage, or a terabyte.
  static constexpr std::uint64_t most_length = std::uint64_t{1} << 40;

  // A str's text, at most LIMIT characters; "..." at the end when it was longer.
  [[nodiscard]] std::optional<std::string> text(std::uint64_t str, std::size_t limit = 256) const;
  [[nodiscard]] std::optional<StrShape> str_shape(std::uint64_t str) const;
  [[nodiscard]] std::optional<std::int64_t> integer(std::uint64_t object) const;  // fits in 62 bits
  [[nodiscard]] std::optional<IntDigits> int_digits(std::uint64_t object) const;
  [[nodiscard]] std::optional<double> floating(std::uint64_t object) const;
  // len() of a builtin container, str, bytes, bytearray, memoryview, deque, array; qsize() of a queue.SimpleQueue.
  [[nodiscard]] std::optional<std::uint64_t> length(std::uint64_t object) const;

  // False from the callback ends the walk. Returns false when the memory could not be followed.
  using EachItem = std::function<bool(std::uint64_t item)>;
  using EachEntry = std::function<bool(std::uint64_t key, std::uint64_t value)>;
  using EachAttribute = std::function<bool(const std::string& name, std::uint64_t value)>;
  bool each_item(std::uint64_t list_tuple_set_or_deque, const EachItem& each) const;
  bool each_entry(std::uint64_t dict, const EachEntry& each) const;
  // Instance attributes: __dict__, inline values, __slots__ of the class and its bases.
  bool each_attribute(std::uint64_t instance, const EachAttribute& each) const;
  [[nodiscard]] std::optional<std::uint64_t> attribute(std::uint64_t instance, std::string_view name) const;
  // Value of a str key; nullopt: not there.
  [[nodiscard]] std::optional<std::uint64_t> entry(std::uint64_t dict, std::string_view key) const;
  // The instance's __dict__ object where there is one; 0: none (values are inline, or no dict).
  [[nodiscard]] std::uint64_t dict_of(std::uint64_t instance) const;
  // Values of the attributes no __dict__ object stands for: inline, in a block of values, in slots.
  bool each_value(std::uint64_t instance, const EachItem& each) const;
  // Bytes of the inline values or the block of values; 0: none, or they belong to a __dict__ object.
  [[nodiscard]] std::uint64_t values_bytes(std::uint64_t instance) const;

 private:
  struct Slot {
    std::string name;
    std::uint32_t offset = 0;
  };
  [[nodiscard]] bool is_str(std::uint64_t object) const;
  [[nodiscard]] std::optional<std::uint64_t> queue_length(std::uint64_t simple_queue) const;
  [[nodiscard]] bool same_text(std::uint64_t str, std::string_view ascii) const;
  bool each_sequence_item(std::uint64_t first, std::uint64_t count, const EachItem& each) const;
  bool each_set_item(std::uint64_t set, const EachItem& each) const;
  bool each_deque_item(std::uint64_t deque, const EachItem& each) const;
  // Address of the first value of an instance without __dict__ object; 0: none.
  [[nodiscard]] std::uint64_t values_of(std::uint64_t instance, const Type& type) const;
  [[nodiscard]] const std::vector<Slot>& slots_of(const Type& type) const;

  const Heap* heap_;
  TypeTable* types_;
  mutable std::unordered_map<std::uint64_t, std::vector<Slot>> slots_;  // by type: read once
};

}  // namespace asyncleak::census
