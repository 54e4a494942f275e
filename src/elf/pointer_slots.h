// Which data words of an image hold which pointers once the dynamic loader is done.
//
// Used by image.cpp only. Knows relocation types, nothing of what is pointed to.
#pragma once

#include "elf/dynamic.h"
#include "elf/image.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace asyncleak::elf {

class PointerSlots {
 public:
  [[nodiscard]] static PointerSlots read(const Image& image, const Dynamic& dynamic);

  // As Image::pointer and Image::slots_holding.
  [[nodiscard]] std::optional<std::uint64_t> pointer(const Image& image, std::uint64_t slot) const;
  [[nodiscard]] std::vector<std::uint64_t> holding(const Image& image, std::uint64_t value);

 private:
  struct Entry {
    std::uint64_t slot;
    std::uint64_t value;
    bool imported;  // the value comes from another file
  };
  struct Reverse {
    std::uint64_t value, slot;
    friend bool operator<(const Reverse& a, const Reverse& b) {
      return a.value != b.value ? a.value < b.value : a.slot < b.slot;
    }
  };
  void add_rela(const Image& image, const Dynamic& dynamic, const DynamicTable& table);
  void add_relr(const Image& image, const DynamicTable& table);
  void add_relative(const Image& image, std::uint64_t slot);
  [[nodiscard]] const Entry* find(std::uint64_t slot) const;
  void build_reverse(const Image& image);
  void add_plain_words(const Image& image, const Segment& segment);

  std::vector<Entry> entries_;    // sorted by slot
  std::vector<Reverse> reverse_;  // sorted by value; built when first asked for
  bool reversed_ = false;
};

}  // namespace asyncleak::elf
