#include "elf/pointer_slots.h"

#include "elf/reads.h"

#include <elf.h>
#include <algorithm>
#include <limits>

namespace asyncleak::elf {

PointerSlots PointerSlots::read(const Image& image, const Dynamic& dynamic) {
  PointerSlots slots;
  slots.add_rela(image, dynamic, dynamic.rela());
  slots.add_rela(image, dynamic, dynamic.jump_rela());
  slots.add_relr(image, dynamic.relr());
  const auto by_slot = [](const Entry& a, const Entry& b) { return a.slot < b.slot; };
  if (!std::is_sorted(slots.entries_.begin(), slots.entries_.end(), by_slot)) {
    std::stable_sort(slots.entries_.begin(), slots.entries_.end(), by_slot);
  }
  return slots;
}

void PointerSlots::add_rela(const Image& image, const Dynamic& dynamic, const DynamicTable& table) {
  const auto relocations = up_to(image, table.address, table.size);
  const std::size_t count = relocations.size() / sizeof(Elf64_Rela);
  entries_.reserve(entries_.size() + count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto entry = read_at<Elf64_Rela>(relocations, i * sizeof(Elf64_Rela));
    if (!entry) return;
    const auto addend = static_cast<std::uint64_t>(entry->r_addend);
    switch (ELF64_R_TYPE(entry->r_info)) {
      case R_X86_64_RELATIVE:
        entries_.push_back({entry->r_offset, addend, false});
        break;
      case R_X86_64_IRELATIVE:
        entries_.push_back({entry->r_offset, 0, true});
        break;  // a resolver's answer
      case R_X86_64_64:
      case R_X86_64_GLOB_DAT:
      case R_X86_64_JUMP_SLOT: {
        const auto symbol = dynamic.symbol(image, static_cast<std::uint32_t>(ELF64_R_SYM(entry->r_info)));
        const bool imported = !symbol || !symbol->defined;
        // The x86-64 psABI adds the addend for R_X86_64_64 only.
        const std::uint64_t plus = ELF64_R_TYPE(entry->r_info) == R_X86_64_64 ? addend : 0;
        entries_.push_back({entry->r_offset, imported ? 0 : symbol->value + plus, imported});
        break;
      }
      default:
        break;
    }
  }
}

// DT_RELR (generic ABI, 2022): an even word is a slot; an odd one is a bitmap over the 63 words that follow.
void PointerSlots::add_relr(const Image& image, const DynamicTable& table) {
  constexpr std::uint64_t words_per_bitmap = 63;
  const auto words = up_to(image, table.address, table.size);
  // Each slot is a word of the file: a longer list is a hostile one.
  const std::size_t most = entries_.size() + image.file().size() / sizeof(std::uint64_t);
  std::uint64_t next = 0;
  for (std::uint64_t offset = 0; entries_.size() < most; offset += sizeof(std::uint64_t)) {
    const auto word = read_at<std::uint64_t>(words, offset);
    if (!word) return;
    if ((*word & 1) == 0) {
      add_relative(image, *word);
      next = *word + sizeof(std::uint64_t);
      continue;
    }
    for (std::uint64_t bit = 0; bit < words_per_bitmap; ++bit) {
      if ((*word >> (bit + 1) & 1) != 0) add_relative(image, next + bit * sizeof(std::uint64_t));
    }
    next += words_per_bitmap * sizeof(std::uint64_t);
  }
}

// RELR keeps the addend in the slot itself.
void PointerSlots::add_relative(const Image& image, std::uint64_t slot) {
  if (const auto value = image.u64(slot)) entries_.push_back({slot, *value, false});
}

const PointerSlots::Entry* PointerSlots::find(std::uint64_t slot) const {
  const auto found = std::lower_bound(entries_.begin(), entries_.end(), slot,
                                      [](const Entry& entry, std::uint64_t at) { return entry.slot < at; });
  return found != entries_.end() && found->slot == slot ? &*found : nullptr;
}

std::optional<std::uint64_t> PointerSlots::pointer(const Image& image, std::uint64_t slot) const {
  if (const Entry* entry = find(slot)) {
    return entry->imported ? std::nullopt : std::optional(entry->value);
  }
  const auto word = image.u64(slot);
  // Without a relocation a position-independent file can only hold a null pointer.
  if (word && *word != 0 && image.position_independent()) return std::nullopt;
  return word;
}

std::vector<std::uint64_t> PointerSlots::holding(const Image& image, std::uint64_t value) {
  if (!reversed_) build_reverse(image);
  std::vector<std::uint64_t> slots;
  auto entry = std::lower_bound(reverse_.begin(), reverse_.end(), Reverse{value, 0});
  for (; entry != reverse_.end() && entry->value == value; ++entry) slots.push_back(entry->slot);
  return slots;
}

void PointerSlots::build_reverse(const Image& image) {
  reversed_ = true;
  for (const Entry& entry : entries_) {
    if (!entry.imported) reverse_.push_back({entry.value, entry.slot});
  }
  // A fixed-address executable needs no relocation for its static data: every aligned word
  // may be a pointer. Debian's python3.X are linked so.
  if (!image.position_independent()) {
    for (const Segment& segment : image.segments()) {
      if (segment.writable) add_plain_words(image, segment);
    }
  }
  std::sort(reverse_.begin(), reverse_.end());
}

void PointerSlots::add_plain_words(const Image& image, const Segment& segment) {
  std::uint64_t lowest = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t highest = 0;
  for (const Segment& other : image.segments()) {
    lowest = std::min(lowest, other.vaddr);
    highest = std::max(highest, other.vaddr + other.memory_size);
  }
  constexpr std::uint64_t word_size = sizeof(std::uint64_t);
  const auto bytes = image.file().subspan(segment.file_offset, segment.file_size);
  const std::uint64_t first = (word_size - segment.vaddr % word_size) % word_size;
  for (std::uint64_t offset = first; offset < bytes.size(); offset += word_size) {
    const auto word = read_at<std::uint64_t>(bytes, offset);
    if (!word || *word < lowest || *word >= highest) continue;
    const std::uint64_t slot = segment.vaddr + offset;
    if (find(slot) == nullptr) reverse_.push_back({*word, slot});
  }
}

}  // namespace asyncleak::elf
