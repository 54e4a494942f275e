#include "elf/symbols.h"

#include "elf/reads.h"
#include "util/handle.h"

#include <elfutils/libdwelf.h>
#include <fcntl.h>
#include <gelf.h>
#include <libelf.h>
#include <lzma.h>
#include <algorithm>
#include <array>
#include <utility>

namespace asyncleak::elf {
namespace {

using ElfHandle = Handle<Elf, elf_end>;

// Bounds against files made to exhaust us; CPython with everything linked in has 40,000
// functions and 40 sections.
constexpr std::size_t most_functions = 1'000'000;
constexpr std::size_t most_sections = 4096;
constexpr std::size_t longest_name = 256;
constexpr std::size_t largest_mini_debug = 64U << 20;
constexpr std::uint64_t largest_debug_file = 2ULL << 30;

// libelf reads the image in place; it never writes to memory it was given with elf_memory().
ElfHandle elf_of(std::span<const std::byte> bytes) {
  elf_version(EV_CURRENT);
  auto* start = const_cast<char*>(reinterpret_cast<const char*>(bytes.data()));
  return ElfHandle(elf_memory(start, bytes.size()));
}

// The first section that satisfies the predicate.
template <class Predicate>
Elf_Scn* find_section(Elf* elf, Predicate matches) {
  Elf_Scn* section = nullptr;
  for (std::size_t i = 0; i < most_sections; ++i) {
    section = elf_nextscn(elf, section);
    if (section == nullptr) return nullptr;
    GElf_Shdr header;
    if (gelf_getshdr(section, &header) != nullptr && matches(header)) return section;
  }
  return nullptr;
}

std::span<const std::byte> content_of(Elf_Scn* section) {
  const Elf_Data* data = section == nullptr ? nullptr : elf_rawdata(section, nullptr);
  if (data == nullptr || data->d_buf == nullptr) return {};
  return {static_cast<const std::byte*>(data->d_buf), data->d_size};
}

std::optional<std::string> text_at(std::span<const std::byte> strings, std::size_t offset) {
  if (offset >= strings.size()) return std::nullopt;
  const auto tail = strings.subspan(offset, std::min(longest_name, strings.size() - offset));
  const auto end = std::find(tail.begin(), tail.end(), std::byte{0});
  if (end == tail.begin() || end == tail.end()) return std::nullopt;
  return std::string(reinterpret_cast<const char*>(tail.data()), static_cast<std::size_t>(end - tail.begin()));
}

std::span<const std::byte> section_named(Elf* elf, std::string_view wanted) {
  std::size_t names_index = 0;
  if (elf_getshdrstrndx(elf, &names_index) != 0) return {};
  const auto names = content_of(elf_getscn(elf, names_index));
  return content_of(find_section(elf, [&](const GElf_Shdr& header) {
    return header.sh_type == SHT_PROGBITS && text_at(names, header.sh_name) == wanted;
  }));
}

std::vector<Symbol> functions_of(Elf* elf) {
  Elf_Scn* table = find_section(elf, [](const GElf_Shdr& header) { return header.sh_type == SHT_SYMTAB; });
  GElf_Shdr header;
  if (table == nullptr || gelf_getshdr(table, &header) == nullptr) return {};
  const auto strings = content_of(elf_getscn(elf, header.sh_link));
  const auto symbols = content_of(table);
  std::vector<Symbol> functions;
  for (std::size_t offset = 0; functions.size() < most_functions; offset += sizeof(Elf64_Sym)) {
    const auto symbol = read_at<Elf64_Sym>(symbols, offset);
    if (!symbol) break;
    if (ELF64_ST_TYPE(symbol->st_info) != STT_FUNC || symbol->st_shndx == SHN_UNDEF) continue;
    if (auto name = text_at(strings, symbol->st_name)) {
      functions.push_back({std::move(*name), symbol->st_value, symbol->st_size});
    }
  }
  std::sort(functions.begin(), functions.end(), [](const Symbol& a, const Symbol& b) { return a.name < b.name; });
  return functions;
}

std::optional<SymbolTable> table_of(Elf* elf, SymbolSource source, std::string path) {
  if (elf == nullptr || elf_kind(elf) != ELF_K_ELF || gelf_getclass(elf) != ELFCLASS64) return std::nullopt;
  auto functions = functions_of(elf);
  if (functions.empty()) return std::nullopt;
  return SymbolTable{source, std::move(path), std::move(functions)};
}

// .gnu_debugdata is a whole xz-compressed ELF file with a .symtab (Fedora's MiniDebugInfo).
std::vector<std::byte> decompress(std::span<const std::byte> compressed) {
  constexpr std::uint64_t memory_limit = 128ULL << 20;
  for (std::size_t size = compressed.size() * 8; size <= largest_mini_debug; size *= 4) {
    std::vector<std::byte> plain(size);
    std::uint64_t limit = memory_limit;
    std::size_t in = 0;
    std::size_t out = 0;
    const lzma_ret result =
        lzma_stream_buffer_decode(&limit, 0, nullptr, reinterpret_cast<const std::uint8_t*>(compressed.data()), &in,
                                  compressed.size(), reinterpret_cast<std::uint8_t*>(plain.data()), &out, size);
    if (result == LZMA_BUF_ERROR) continue;  // more room
    if (result != LZMA_OK) return {};
    plain.resize(out);
    return plain;
  }
  return {};
}

struct DebugLink {
  std::string name;
  std::uint32_t crc;
};

// .gnu_debuglink: a file name, NUL, padding to 4 bytes, CRC-32 of that file.
std::optional<DebugLink> debug_link(Elf* elf) {
  const auto section = section_named(elf, ".gnu_debuglink");
  auto name = text_at(section, 0);
  if (!name || name->find('/') != std::string::npos) return std::nullopt;
  const auto crc = read_at<std::uint32_t>(section, (name->size() + 4) / 4 * 4);
  if (!crc) return std::nullopt;
  return DebugLink{std::move(*name), *crc};
}

std::optional<std::uint32_t> crc_of(int fd) {
  std::array<std::uint8_t, 65536> buffer;
  std::uint32_t crc = 0;
  for (std::uint64_t offset = 0; offset < largest_debug_file;) {
    const ssize_t got = pread(fd, buffer.data(), buffer.size(), static_cast<off_t>(offset));
    if (got < 0) return std::nullopt;
    if (got == 0) return crc;
    // The same polynomial and bit order as .gnu_debuglink's.
    crc = lzma_crc32(buffer.data(), static_cast<std::size_t>(got), crc);
    offset += static_cast<std::uint64_t>(got);
  }
  return std::nullopt;
}

std::string build_id_of(Elf* elf) {
  const void* id = nullptr;
  const ssize_t size = dwelf_elf_gnu_build_id(elf, &id);
  std::string text;
  constexpr std::string_view digits = "0123456789abcdef";
  for (ssize_t i = 0; i < size; ++i) {
    const unsigned byte = static_cast<const unsigned char*>(id)[i];
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

// PATH's functions when it is the debug file of that build: same build-id, or, for the files
// a debug link names, same checksum.
std::optional<SymbolTable> read_debug_file(const std::string& path, const std::string& build_id,
                                           std::optional<std::uint32_t> crc) {
  const Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return std::nullopt;
  if (crc && crc_of(fd.get()) != crc) return std::nullopt;
  elf_version(EV_CURRENT);
  // ELF_C_READ, not mapped: the file may be truncated while we read it.
  const ElfHandle elf(elf_begin(fd.get(), ELF_C_READ, nullptr));
  if (!elf) return std::nullopt;
  if (!crc && build_id_of(elf.get()) != build_id) return std::nullopt;
  return table_of(elf.get(), SymbolSource::debug_file, path);
}

std::optional<SymbolTable> separate_debug_file(const Image& image, Elf* elf, const std::string& path,
                                               const std::string& root) {
  std::vector<std::string> roots{root};
  if (!root.empty()) roots.emplace_back();
  const std::string build_id = image.build_id();
  for (const std::string& prefix : roots) {
    if (build_id.size() <= 2) break;
    const std::string file =
        prefix + "/usr/lib/debug/.build-id/" + build_id.substr(0, 2) + "/" + build_id.substr(2) + ".debug";
    if (auto table = read_debug_file(file, build_id, std::nullopt)) return table;
  }
  const auto link = debug_link(elf);
  const std::size_t slash = path.rfind('/');
  if (!link || slash == std::string::npos) return std::nullopt;
  const std::string directory = path.substr(0, slash + 1);
  // The places and their order are gdb's (its manual, "Debugging Information in Separate Files").
  const std::array places = {directory + link->name, directory + ".debug/" + link->name,
                             "/usr/lib/debug" + directory + link->name};
  for (const std::string& prefix : roots) {
    for (const std::string& place : places) {
      if (auto table = read_debug_file(prefix + place, {}, link->crc)) return table;
    }
  }
  return std::nullopt;
}

// "_lto_priv.N" twins are the function itself, renamed because two files have one of that name.
bool is_lto_twin(std::string_view symbol, std::string_view name) {
  constexpr std::string_view mark = ".lto_priv.";
  if (!symbol.starts_with(name) || !symbol.substr(name.size()).starts_with(mark)) return false;
  const std::string_view number = symbol.substr(name.size() + mark.size());
  return !number.empty() && number.find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

std::optional<std::uint64_t> SymbolTable::find(std::string_view name) const {
  auto symbol = std::lower_bound(functions.begin(), functions.end(), name,
                                 [](const Symbol& each, std::string_view text) { return each.name < text; });
  std::optional<std::uint64_t> exact;
  std::optional<std::uint64_t> twin;
  bool several_twins = false;
  for (; symbol != functions.end() && symbol->name.starts_with(name); ++symbol) {
    if (symbol->name == name) {
      if (exact && *exact != symbol->vaddr) return std::nullopt;
      exact = symbol->vaddr;
    } else if (is_lto_twin(symbol->name, name)) {
      several_twins = several_twins || (twin && *twin != symbol->vaddr);
      twin = symbol->vaddr;
    }
  }
  if (exact) return exact;
  return several_twins ? std::nullopt : twin;
}

std::optional<SymbolTable> load_symbols(const Image& image, const std::string& path, const std::string& root) {
  const ElfHandle elf = elf_of(image.file());
  if (!elf) return std::nullopt;
  if (auto table = table_of(elf.get(), SymbolSource::symtab, path)) return table;
  if (auto table = separate_debug_file(image, elf.get(), path, root)) return table;
  const auto plain = decompress(section_named(elf.get(), ".gnu_debugdata"));
  if (plain.empty()) return std::nullopt;
  const ElfHandle inner = elf_of(plain);
  return table_of(inner.get(), SymbolSource::mini_debug_info, path);
}

std::vector<std::byte> section_content(const Image& image, std::string_view name, std::size_t limit) {
  const ElfHandle elf = elf_of(image.file());
  const auto content = section_named(elf.get(), name);
  if (content.size() > limit) return {};
  return {content.begin(), content.end()};
}

}  // namespace asyncleak::elf
