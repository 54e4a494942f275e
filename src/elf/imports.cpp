#include "elf/imports.h"

#include "elf/dynamic.h"
#include "elf/reads.h"

#include <elf.h>

namespace asyncleak::elf {
namespace {

void add_slots(const Image& image, std::string_view name, const DynamicTable& table, std::uint32_t wanted_type,
               std::vector<std::uint64_t>& out) {
  const auto relocations = up_to(image, table.address, table.size);
  for (std::uint64_t offset = 0;; offset += sizeof(Elf64_Rela)) {
    const auto relocation = read_at<Elf64_Rela>(relocations, offset);
    if (!relocation) return;
    if (ELF64_R_TYPE(relocation->r_info) != wanted_type) continue;
    const auto symbol = static_cast<std::uint32_t>(ELF64_R_SYM(relocation->r_info));
    if (image.dynamic().is_named(image, symbol, name)) out.push_back(relocation->r_offset);
  }
}

}  // namespace

std::optional<std::uint64_t> exported_function(const Image& image, std::string_view name) {
  const auto symbol = image.dynamic().find(image, name);
  if (!symbol || (symbol->type != STT_FUNC && symbol->type != STT_NOTYPE)) return std::nullopt;
  return symbol->value;
}

std::vector<std::uint64_t> import_slots(const Image& image, std::string_view name) {
  std::vector<std::uint64_t> slots;
  add_slots(image, name, image.dynamic().rela(), R_X86_64_GLOB_DAT, slots);
  add_slots(image, name, image.dynamic().jump_rela(), R_X86_64_JUMP_SLOT, slots);
  return slots;
}

}  // namespace asyncleak::elf
