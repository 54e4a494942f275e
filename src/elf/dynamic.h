// The dynamic section of an image and the symbols it leads to (.dynsym), which strip(1) keeps.
//
// Used by image.cpp, pointer_slots.cpp and imports.cpp only. Knows nothing of sections: a file without
// section headers has these all the same.
#pragma once

#include "elf/image.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace asyncleak::elf {

struct DynamicTable {
  std::uint64_t address = 0;
  std::uint64_t size = 0;  // bytes, as the file claims
};

struct DynamicSymbol {
  std::uint64_t value;
  bool defined;       // false: an import
  std::uint8_t type;  // STT_FUNC, ...
};

class Dynamic {
 public:
  // TABLE is what PT_DYNAMIC covers in the file; empty for a static executable.
  [[nodiscard]] static Dynamic parse(std::span<const std::byte> table);

  [[nodiscard]] const DynamicTable& rela() const { return rela_; }
  [[nodiscard]] const DynamicTable& jump_rela() const { return jump_rela_; }
  [[nodiscard]] const DynamicTable& relr() const { return relr_; }

  [[nodiscard]] std::optional<DynamicSymbol> symbol(const Image& image, std::uint32_t index) const;
  [[nodiscard]] bool is_named(const Image& image, std::uint32_t index, std::string_view name) const;
  // A function or object that the image defines; its value is a link-time address.
  [[nodiscard]] std::optional<DynamicSymbol> find(const Image& image, std::string_view name) const;

 private:
  [[nodiscard]] std::uint64_t symbol_count(const Image& image) const;

  DynamicTable rela_, jump_rela_, relr_;
  std::uint64_t symbols_ = 0, strings_ = 0, hash_ = 0, gnu_hash_ = 0;
};

}  // namespace asyncleak::elf
