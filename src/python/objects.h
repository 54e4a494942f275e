// CPython's text and line tables, decoded to what a person reads.
//
// Pure functions over bytes the kernel copied (bpf/asyncleak.h) or RemoteMemory. Used by
// src/probe (map_reader).
#pragma once

#include <linux/types.h>  // before asyncleak.h, which takes __u64 from whoever includes it

#include "asyncleak.h"
#include "python/memory.h"
#include "util/result.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace asyncleak::python {

// A str's characters (kind 1, 2, 4: as CPython stores them; 8: UTF-8) to valid UTF-8, control
// characters shown as \xNN, truncation as a trailing "...". Kind 0 gives "".
[[nodiscard]] std::string decode_text(std::span<const std::uint8_t> bytes, unsigned kind, bool truncated);

// How a line table is to be read. Derived from the layout, so that nobody asks for a version.
enum class LineTable {
  lnotab,     // 3.8, 3.9: Objects/lnotab_notes.txt
  linetable,  // 3.10: PEP 626
  locations,  // 3.11+: Objects/locations.md (codeobject location table)
};
[[nodiscard]] LineTable line_table_kind(const al_layout& layout);

// Line of the instruction at byte OFFSET of the bytecode; nullopt: none there or a bad table.
[[nodiscard]] std::optional<int> line_at(LineTable kind, std::span<const std::uint8_t> table, int first_line,
                                         std::uint32_t offset);

// The line table of a living code object, when it was too long for the kernel's copy.
[[nodiscard]] Result<std::vector<std::uint8_t>> read_line_table(const RemoteMemory& memory, const al_layout& layout,
                                                                std::uint64_t code);

}  // namespace asyncleak::python
