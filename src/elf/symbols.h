// Names of functions, where a file still has them: its own .symtab, a separate debug file
// (by build-id, by .gnu_debuglink), or the compressed .gnu_debugdata.
//
// Used by task_functions.cpp and by the tests as the judge of the resolver. Sections are
// read with libelf; nothing here is needed for a stripped file.
#pragma once

#include "elf/image.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace asyncleak::elf {

enum class SymbolSource { symtab, debug_file, mini_debug_info };

struct Symbol {
  std::string name;
  std::uint64_t vaddr;
  std::uint64_t size;
};

struct SymbolTable {
  SymbolSource source;
  std::string path;  // the file that had them
  // Function symbols, sorted by name.
  std::vector<Symbol> functions;

  // The entry of a function: exact name, else NAME.lto_priv.N; never a .cold or .part
  // twin (those are not entries). nullopt when absent or ambiguous.
  [[nodiscard]] std::optional<std::uint64_t> find(std::string_view name) const;
};

// First source that has function symbols, in the order above. PATH is the file's display
// path, ROOT the prefix under which its mount namespace is reachable ("" or /proc/PID/root).
[[nodiscard]] std::optional<SymbolTable> load_symbols(const Image& image, const std::string& path,
                                                      const std::string& root = {});

// What a section holds, at most LIMIT bytes of it; empty: no such section, or larger.
[[nodiscard]] std::vector<std::byte> section_content(const Image& image, std::string_view name, std::size_t limit);

}  // namespace asyncleak::elf
