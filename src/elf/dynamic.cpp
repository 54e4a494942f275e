#include "elf/dynamic.h"

#include "elf/reads.h"

#include <elf.h>
#include <algorithm>

namespace asyncleak::elf {
namespace {

// DT_GNU_HASH does not say how many symbols there are: the last chain ends where the table ends.
std::uint64_t count_by_gnu_hash(std::span<const std::byte> table) {
  const auto bucket_count = read_at<std::uint32_t>(table, 0);
  const auto first_symbol = read_at<std::uint32_t>(table, 4);
  const auto bloom_words = read_at<std::uint32_t>(table, 8);
  if (!bucket_count || !first_symbol || !bloom_words) return 0;
  const std::uint64_t buckets = 16 + 8 * std::uint64_t{*bloom_words};
  std::uint32_t last = 0;
  for (std::uint64_t i = 0; i < *bucket_count; ++i) {
    const auto bucket = read_at<std::uint32_t>(table, buckets + 4 * i);
    if (!bucket) return 0;
    last = std::max(last, *bucket);
  }
  if (last < *first_symbol) return *first_symbol;
  const std::uint64_t chains = buckets + 4 * std::uint64_t{*bucket_count};
  for (std::uint64_t index = last;; ++index) {
    const auto hash = read_at<std::uint32_t>(table, chains + 4 * (index - *first_symbol));
    if (!hash) return index;
    if ((*hash & 1) != 0) return index + 1;
  }
}

DynamicSymbol symbol_of(const Elf64_Sym& entry) {
  return {entry.st_value, entry.st_shndx != SHN_UNDEF, static_cast<std::uint8_t>(ELF64_ST_TYPE(entry.st_info))};
}

bool is_text_at(std::span<const std::byte> strings, std::uint64_t offset, std::string_view text) {
  if (offset > strings.size() || strings.size() - offset <= text.size()) return false;
  const std::byte* start = strings.data() + offset;
  return std::memcmp(start, text.data(), text.size()) == 0 && start[text.size()] == std::byte{0};
}

}  // namespace

Dynamic Dynamic::parse(std::span<const std::byte> table) {
  Dynamic dynamic;
  for (std::uint64_t offset = 0;; offset += sizeof(Elf64_Dyn)) {
    const auto entry = read_at<Elf64_Dyn>(table, offset);
    if (!entry || entry->d_tag == DT_NULL) return dynamic;
    const std::uint64_t value = entry->d_un.d_val;
    switch (entry->d_tag) {
      case DT_RELA:
        dynamic.rela_.address = value;
        break;
      case DT_RELASZ:
        dynamic.rela_.size = value;
        break;
      case DT_JMPREL:
        dynamic.jump_rela_.address = value;
        break;
      case DT_PLTRELSZ:
        dynamic.jump_rela_.size = value;
        break;
      case DT_RELR:
        dynamic.relr_.address = value;
        break;
      case DT_RELRSZ:
        dynamic.relr_.size = value;
        break;
      case DT_SYMTAB:
        dynamic.symbols_ = value;
        break;
      case DT_STRTAB:
        dynamic.strings_ = value;
        break;
      case DT_HASH:
        dynamic.hash_ = value;
        break;
      case DT_GNU_HASH:
        dynamic.gnu_hash_ = value;
        break;
      default:
        break;
    }
  }
}

std::uint64_t Dynamic::symbol_count(const Image& image) const {
  if (hash_ != 0) return image.u32(hash_ + 4).value_or(0);  // nchain
  if (gnu_hash_ != 0) return count_by_gnu_hash(rest_of_segment(image, gnu_hash_));
  return 0;
}

std::optional<DynamicSymbol> Dynamic::symbol(const Image& image, std::uint32_t index) const {
  const auto entry = read_at<Elf64_Sym>(rest_of_segment(image, symbols_), std::uint64_t{index} * sizeof(Elf64_Sym));
  if (!entry) return std::nullopt;
  return symbol_of(*entry);
}

bool Dynamic::is_named(const Image& image, std::uint32_t index, std::string_view name) const {
  const auto entry = read_at<Elf64_Sym>(rest_of_segment(image, symbols_), std::uint64_t{index} * sizeof(Elf64_Sym));
  return entry && is_text_at(rest_of_segment(image, strings_), entry->st_name, name);
}

std::optional<DynamicSymbol> Dynamic::find(const Image& image, std::string_view name) const {
  const auto symbols = rest_of_segment(image, symbols_);
  const auto strings = rest_of_segment(image, strings_);
  const std::uint64_t count = std::min(symbol_count(image), std::uint64_t{symbols.size() / sizeof(Elf64_Sym)});
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto entry = read_at<Elf64_Sym>(symbols, i * sizeof(Elf64_Sym));
    if (!entry || entry->st_shndx == SHN_UNDEF) continue;
    // A thread-local symbol's value is an offset, not an address.
    if (ELF64_ST_TYPE(entry->st_info) == STT_TLS) continue;
    if (is_text_at(strings, entry->st_name, name)) return symbol_of(*entry);
  }
  return std::nullopt;
}

}  // namespace asyncleak::elf
