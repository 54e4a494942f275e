#include "elf/imports.h"

#include "elf/reads.h"

#include <elf.h>
#include <algorithm>
#include <cstddef>
#include <span>

namespace asyncleak::elf {
namespace {

// What PT_DYNAMIC covers in the file; Image has checked the header.
std::span<const std::byte> dynamic_table(const Image& image) {
  const auto file = image.file();
  const auto header = read_at<Elf64_Ehdr>(file, 0);
  for (std::uint64_t i = 0; header && i < header->e_phnum; ++i) {
    const auto program = read_at<Elf64_Phdr>(file, header->e_phoff + i * sizeof(Elf64_Phdr));
    if (!program || program->p_type != PT_DYNAMIC || program->p_offset > file.size()) continue;
    return file.subspan(program->p_offset, std::min<std::uint64_t>(program->p_filesz, file.size() - program->p_offset));
  }
  return {};
}

// 0: no such entry.
std::uint64_t dynamic_value(std::span<const std::byte> table, std::int64_t tag) {
  for (std::uint64_t offset = 0;; offset += sizeof(Elf64_Dyn)) {
    const auto entry = read_at<Elf64_Dyn>(table, offset);
    if (!entry || entry->d_tag == DT_NULL) return 0;
    if (entry->d_tag == tag) return entry->d_un.d_val;
  }
}

// The symbols of a file by their number, as relocations name them.
class Symbols {
 public:
  Symbols(const Image& image, std::span<const std::byte> dynamic)
      : symbols_(rest_of_segment(image, dynamic_value(dynamic, DT_SYMTAB))),
        strings_(rest_of_segment(image, dynamic_value(dynamic, DT_STRTAB))) {}

  [[nodiscard]] std::optional<Elf64_Sym> at(std::uint64_t index) const {
    return read_at<Elf64_Sym>(symbols_, index * sizeof(Elf64_Sym));
  }
  [[nodiscard]] bool is_named(const Elf64_Sym& symbol, std::string_view name) const {
    if (symbol.st_name > strings_.size() || strings_.size() - symbol.st_name <= name.size()) return false;
    const std::byte* start = strings_.data() + symbol.st_name;
    return std::memcmp(start, name.data(), name.size()) == 0 && start[name.size()] == std::byte{0};
  }

 private:
  std::span<const std::byte> symbols_, strings_;
};

void add_slots(const Symbols& symbols, std::string_view name, std::span<const std::byte> relocations,
               std::uint32_t wanted_type, std::vector<std::uint64_t>& out) {
  for (std::uint64_t offset = 0;; offset += sizeof(Elf64_Rela)) {
    const auto relocation = read_at<Elf64_Rela>(relocations, offset);
    if (!relocation) return;
    if (ELF64_R_TYPE(relocation->r_info) != wanted_type) continue;
    const auto symbol = symbols.at(ELF64_R_SYM(relocation->r_info));
    if (symbol && symbols.is_named(*symbol, name)) out.push_back(relocation->r_offset);
  }
}

}  // namespace

std::optional<std::uint64_t> exported_function(const Image& image, std::string_view name) {
  const auto value = image.dynamic_symbol(name);
  if (!value) return std::nullopt;
  const Symbols symbols(image, dynamic_table(image));
  // The table does not say where it ends; that the symbol is in it is known.
  for (std::uint64_t i = 0;; ++i) {
    const auto symbol = symbols.at(i);
    if (!symbol) return std::nullopt;
    if (symbol->st_shndx == SHN_UNDEF || symbol->st_value != *value || !symbols.is_named(*symbol, name)) continue;
    const auto type = ELF64_ST_TYPE(symbol->st_info);
    return type == STT_FUNC || type == STT_NOTYPE ? value : std::nullopt;
  }
}

std::vector<std::uint64_t> import_slots(const Image& image, std::string_view name) {
  const auto dynamic = dynamic_table(image);
  const Symbols symbols(image, dynamic);
  const auto relocations = up_to(image, dynamic_value(dynamic, DT_RELA), dynamic_value(dynamic, DT_RELASZ));
  const auto jumps = up_to(image, dynamic_value(dynamic, DT_JMPREL), dynamic_value(dynamic, DT_PLTRELSZ));
  std::vector<std::uint64_t> slots;
  add_slots(symbols, name, relocations, R_X86_64_GLOB_DAT, slots);
  add_slots(symbols, name, jumps, R_X86_64_JUMP_SLOT, slots);
  return slots;
}

}  // namespace asyncleak::elf
