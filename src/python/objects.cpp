#include "python/objects.h"

#include <array>
#include <cstring>

namespace asyncleak::python {
namespace {

void append_escape(std::string& out, unsigned byte) {
  constexpr std::string_view digits = "0123456789abcdef";
  out += "\\x";
  out += digits[byte >> 4 & 15];
  out += digits[byte & 15];
}

void append_utf8(std::string& out, std::uint32_t c) {
  const auto tail = [&](int shift) { out += static_cast<char>(0x80 | (c >> shift & 0x3f)); };
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xc0 | c >> 6);
    tail(0);
  } else if (c < 0x10000) {
    out += static_cast<char>(0xe0 | c >> 12);
    tail(6), tail(0);
  } else {
    out += static_cast<char>(0xf0 | c >> 18);
    tail(12), tail(6), tail(0);
  }
}

// One character to what a terminal can be given.
void append_character(std::string& out, std::uint32_t c) {
  constexpr std::uint32_t replacement = 0xfffd;
  if (c < 0x20 || (c >= 0x7f && c < 0xa0)) {
    append_escape(out, c);
  } else if (c >= 0xdc80 && c <= 0xdcff) {
    append_escape(out, c - 0xdc00);  // PEP 383: a byte of a file name that was no UTF-8
  } else if ((c >= 0xd800 && c < 0xe000) || c > 0x10ffff) {
    append_utf8(out, replacement);
  } else {
    append_utf8(out, c);
  }
}

void append_units(std::string& out, std::span<const std::uint8_t> bytes, unsigned size) {
  for (std::size_t at = 0; at + size <= bytes.size(); at += size) {
    std::uint32_t c = 0;
    std::memcpy(&c, bytes.data() + at, size);
    append_character(out, c);
  }
}

// Length of the well-formed UTF-8 sequence at the start of BYTES (Unicode table 3-7); 0: none; -1: cut short.
int utf8_sequence(std::span<const std::uint8_t> bytes, std::uint32_t& c) {
  const std::uint8_t lead = bytes[0];
  const int length = lead < 0x80 ? 1 : lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
  constexpr std::array<std::uint8_t, 5> lead_bits = {0, 0x7f, 0x1f, 0x0f, 0x07};
  c = lead & lead_bits[static_cast<std::size_t>(length)];
  for (int i = 1; i < length; ++i) {
    if (static_cast<std::size_t>(i) >= bytes.size()) return -1;
    const std::uint8_t byte = bytes[static_cast<std::size_t>(i)];
    if ((byte & 0xc0) != 0x80) return 0;
    c = c << 6 | (byte & 0x3fU);
  }
  constexpr std::array<std::uint32_t, 5> smallest = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = c >= 0xd800 && c < 0xe000;
  return c < smallest[static_cast<std::size_t>(length)] || surrogate || c > 0x10ffff ? 0 : length;
}

void append_checked_utf8(std::string& out, std::span<const std::uint8_t> bytes, bool truncated) {
  while (!bytes.empty()) {
    std::uint32_t c = 0;
    const int length = utf8_sequence(bytes, c);
    if (length < 0 && truncated) return;
    if (length > 0) {
      append_character(out, c);
      bytes = bytes.subspan(static_cast<std::size_t>(length));
    } else {
      append_escape(out, bytes[0]);
      bytes = bytes.subspan(1);
    }
  }
}

int signed_byte(std::uint8_t byte) { return byte < 0x80 ? byte : byte - 0x100; }

// Pairs (bytes of bytecode, signed lines), Objects/lnotab_notes.txt of 3.8: an instruction has the line reached
// by all pairs that start at or before it.
std::optional<int> lnotab_line(std::span<const std::uint8_t> table, int line, std::uint32_t offset) {
  std::uint64_t address = 0;
  for (std::size_t i = 0; i + 1 < table.size(); i += 2) {
    address += table[i];
    if (address > offset) break;
    line += signed_byte(table[i + 1]);
  }
  return line;
}

// Pairs (bytes covered, signed lines), PEP 626; -128: code without a line.
std::optional<int> linetable_line(std::span<const std::uint8_t> table, int line, std::uint32_t offset) {
  constexpr int no_line = -128;
  std::uint64_t end = 0;
  for (std::size_t i = 0; i + 1 < table.size(); i += 2) {
    end += table[i];
    const int delta = signed_byte(table[i + 1]);
    if (delta != no_line) line += delta;
    if (offset < end) return delta == no_line ? std::nullopt : std::optional(line);
  }
  return std::nullopt;
}

// Entries of the location table, Objects/locations.md (3.11), InternalDocs/code_objects.md (3.14).
class LocationReader {
 public:
  explicit LocationReader(std::span<const std::uint8_t> table) : table_(table) {}

  struct Entry {
    unsigned length;  // bytes of bytecode covered
    int line_delta;
    bool has_line;
  };

  // nullopt at the end and where the table is damaged.
  [[nodiscard]] std::optional<Entry> next() {
    const auto head = byte();
    if (!head || (*head & 0x80) == 0) return std::nullopt;
    const unsigned code = *head >> 3 & 15;
    Entry entry{((*head & 7U) + 1) * 2, 0, true};
    switch (code) {
      case 15:  // no location
        entry.has_line = false;
        return entry;
      case 14: {  // long form: line, end line, column, end column
        const auto delta = signed_varint();
        if (!delta || !varint() || !varint() || !varint()) return std::nullopt;
        entry.line_delta = *delta;
        return entry;
      }
      case 13: {  // no columns
        const auto delta = signed_varint();
        if (!delta) return std::nullopt;
        entry.line_delta = *delta;
        return entry;
      }
      case 12:
      case 11:
      case 10:  // one line form: two column bytes
        entry.line_delta = static_cast<int>(code) - 10;
        return byte() && byte() ? std::optional(entry) : std::nullopt;
      default:  // short form: one column byte
        return byte() ? std::optional(entry) : std::nullopt;
    }
  }

 private:
  [[nodiscard]] std::optional<std::uint8_t> byte() {
    if (at_ >= table_.size()) return std::nullopt;
    return table_[at_++];
  }

  // Six bits a byte, least significant first, bit 6 = more follow.
  [[nodiscard]] std::optional<std::uint32_t> varint() {
    std::uint32_t value = 0;
    for (unsigned shift = 0; shift < 32; shift += 6) {
      const auto part = byte();
      if (!part) return std::nullopt;
      value |= (*part & 63U) << shift;
      if ((*part & 64) == 0) return value;
    }
    return std::nullopt;
  }

  // The sign is the lowest bit.
  [[nodiscard]] std::optional<int> signed_varint() {
    const auto value = varint();
    if (!value) return std::nullopt;
    const auto magnitude = static_cast<int>(*value >> 1);
    return (*value & 1) != 0 ? -magnitude : magnitude;
  }

  std::span<const std::uint8_t> table_;
  std::size_t at_ = 0;
};

std::optional<int> location_line(std::span<const std::uint8_t> table, int first_line, std::uint32_t offset) {
  LocationReader reader(table);
  std::int64_t line = first_line;
  std::uint64_t end = 0;
  while (const auto entry = reader.next()) {
    line += entry->line_delta;
    end += entry->length;
    if (offset < end) return entry->has_line ? std::optional(static_cast<int>(line)) : std::nullopt;
  }
  return std::nullopt;
}

}  // namespace

std::string decode_text(std::span<const std::uint8_t> bytes, unsigned kind, bool truncated) {
  std::string out;
  if (kind == 0) return out;
  if (kind == 8) {
    append_checked_utf8(out, bytes, truncated);
  } else if (kind == 1 || kind == 2 || kind == 4) {
    append_units(out, bytes, kind);
  }
  if (truncated) out += "...";
  return out;
}

LineTable line_table_kind(const al_layout& layout) {
  if ((layout.flags & AL_INSTR_IS_INDEX) == 0) return LineTable::locations;
  return (layout.flags & AL_INSTR_IN_UNITS) != 0 ? LineTable::linetable : LineTable::lnotab;
}

std::optional<int> line_at(LineTable kind, std::span<const std::uint8_t> table, int first_line, std::uint32_t offset) {
  std::optional<int> line;
  switch (kind) {
    case LineTable::lnotab:
      line = lnotab_line(table, first_line, offset);
      break;
    case LineTable::linetable:
      line = linetable_line(table, first_line, offset);
      break;
    case LineTable::locations:
      line = location_line(table, first_line, offset);
      break;
  }
  // Lines count from 1; 0 is the module frame before its first statement, less is a damaged table.
  return line && *line >= 0 ? line : std::nullopt;
}

Result<std::vector<std::uint8_t>> read_line_table(const RemoteMemory& memory, const al_layout& layout,
                                                  std::uint64_t code) {
  constexpr std::uint64_t largest = 1 << 20;  // a function of a hundred thousand lines
  const auto table = memory.value<std::uint64_t>(code + layout.code_linetable);
  if (!table) return fail(within("line table", table.error()));
  const auto size = memory.value<std::uint64_t>(*table + layout.bytes_size);
  if (!size) return fail(within("line table", size.error()));
  if (*size > largest) return fail("line table: larger than 1 MB, the code object is gone");
  std::vector<std::uint8_t> bytes(*size);
  if (auto got = memory.read(*table + layout.bytes_data, std::as_writable_bytes(std::span(bytes))); !got) {
    return fail(within("line table", got.error()));
  }
  return bytes;
}

}  // namespace asyncleak::python
