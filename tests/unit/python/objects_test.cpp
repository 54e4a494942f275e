#include "python/objects.h"

#include <catch2/catch.hpp>
#include <cstring>
#include <map>

namespace asyncleak::python {
namespace {

constexpr int no_line = -1;

// Up to byte END of the bytecode the line is LINE.
struct Range {
  std::uint32_t end;
  int line;
};

struct Case {
  const char* from;
  LineTable kind;
  int first_line;
  std::vector<std::uint8_t> table;
  std::vector<Range> expected;
};

// co_lnotab (3.8, 3.9) or co_linetable, and what that interpreter's own dis.findlinestarts() (3.8, 3.9) or
// code.co_lines() says, of these two functions (line 1 is empty):
//
//   import asyncio                              def far(a):
//                                                   x = a
//                                                   <300 empty lines>
//   async def spawn(items):       # line 5          return x
//       tasks = []
//
//       for item in items:
//           tasks.append(
//               asyncio.create_task(
//                   item
//               )
//           )
//       if tasks: return tasks
//       try:
//           await asyncio.sleep(0)
//       finally:
//           tasks.clear()
//       return [
//           t for t in tasks
//       ]
const std::vector<Case> cases = {
    {"3.8.18, spawn",
     LineTable::lnotab,
     5,
     {0x00, 0x01, 0x04, 0x02, 0x08, 0x01, 0x04, 0x01, 0x04, 0x01, 0x02, 0xff, 0x02, 0xff, 0x06,
      0x05, 0x04, 0x00, 0x04, 0x01, 0x02, 0x01, 0x14, 0x02, 0x0a, 0x01, 0x06, 0x01, 0x02, 0xff},
     {{4, 6},
      {12, 8},
      {16, 9},
      {20, 10},
      {22, 11},
      {24, 10},
      {30, 9},
      {38, 14},
      {40, 15},
      {60, 16},
      {70, 18},
      {76, 19},
      {78, 20},
      {84, 19}}},
    {"3.8.18, far", LineTable::lnotab, 2, {0x00, 0x01, 0x04, 0x7f, 0x00, 0x7f, 0x00, 0x2f}, {{4, 3}, {8, 304}}},
    {"3.9.18, spawn",
     LineTable::lnotab,
     5,
     {0x00, 0x01, 0x04, 0x02, 0x08, 0x01, 0x04, 0x01, 0x04, 0x01, 0x02, 0xff, 0x02, 0xff,
      0x06, 0x05, 0x08, 0x01, 0x02, 0x01, 0x12, 0x02, 0x14, 0x01, 0x06, 0x01, 0x02, 0xff},
     {{4, 6},
      {12, 8},
      {16, 9},
      {20, 10},
      {22, 11},
      {24, 10},
      {30, 9},
      {38, 14},
      {40, 15},
      {58, 16},
      {78, 18},
      {84, 19},
      {86, 20},
      {92, 19}}},
    {"3.9.18, far", LineTable::lnotab, 2, {0x00, 0x01, 0x04, 0x7f, 0x00, 0x7f, 0x00, 0x2f}, {{4, 3}, {8, 304}}},
    {"3.10.13, spawn",
     LineTable::linetable,
     5,
     {0x02, 0x80, 0x04, 0x01, 0x08, 0x02, 0x04, 0x01, 0x04, 0x01, 0x02, 0x01, 0x02, 0xff, 0x06,
      0xff, 0x08, 0x05, 0x02, 0x01, 0x12, 0x01, 0x14, 0x02, 0x06, 0x01, 0x02, 0x01, 0x06, 0xff},
     {{2, no_line},
      {6, 6},
      {14, 8},
      {18, 9},
      {22, 10},
      {24, 11},
      {26, 10},
      {32, 9},
      {40, 14},
      {42, 15},
      {60, 16},
      {80, 18},
      {86, 19},
      {88, 20},
      {94, 19}}},
    {"3.10.13, far", LineTable::linetable, 2, {0x04, 0x01, 0x00, 0x7f, 0x00, 0x7f, 0x04, 0x2f}, {{4, 3}, {8, 304}}},
    {"3.11.7, spawn",
     LineTable::locations,
     5,
     {0xe8, 0x00, 0xe8, 0x00, 0x80, 0x00, 0xd8, 0x0c, 0x0e, 0x80, 0x45, 0xe0, 0x10, 0x15, 0xf0, 0x00, 0x05, 0x05, 0x0a,
      0xf0, 0x00, 0x05, 0x05, 0x0a, 0x88, 0x04, 0xd8, 0x08, 0x0d, 0x8f, 0x0c, 0x8a, 0x0c, 0xdd, 0x0c, 0x13, 0xd4, 0x0c,
      0x1f, 0xd8, 0x10, 0x14, 0xf1, 0x03, 0x02, 0x0d, 0x0e, 0xf4, 0x00, 0x02, 0x0d, 0x0e, 0xf1, 0x03, 0x04, 0x09, 0x0a,
      0xf4, 0x00, 0x04, 0x09, 0x0a, 0xf0, 0x00, 0x04, 0x09, 0x0a, 0xf0, 0x00, 0x04, 0x09, 0x0a, 0xf0, 0x0a, 0x00, 0x08,
      0x0d, 0xd0, 0x04, 0x1a, 0x90, 0x55, 0x88, 0x6c, 0xf0, 0x02, 0x03, 0x05, 0x16, 0xdd, 0x0e, 0x15, 0x8c, 0x6d, 0x98,
      0x41, 0xd1, 0x0e, 0x1e, 0xd4, 0x0e, 0x1e, 0xd0, 0x08, 0x1e, 0xd0, 0x08, 0x1e, 0xd0, 0x08, 0x1e, 0xd0, 0x08, 0x1e,
      0xd0, 0x08, 0x1e, 0xd0, 0x08, 0x1e, 0xd0, 0x08, 0x1e, 0xe0, 0x08, 0x0d, 0x8f, 0x0b, 0x8a, 0x0b, 0x89, 0x0d, 0x8c,
      0x0d, 0x88, 0x0d, 0x88, 0x0d, 0xf8, 0x88, 0x05, 0x8f, 0x0b, 0x8a, 0x0b, 0x89, 0x0d, 0x8c, 0x0d, 0x88, 0x0d, 0x88,
      0x0d, 0xf8, 0xf8, 0xf8, 0xf0, 0x02, 0x02, 0x0c, 0x06, 0xf0, 0x00, 0x02, 0x0c, 0x06, 0xd8, 0x13, 0x18, 0xf0, 0x03,
      0x02, 0x0c, 0x06, 0xf1, 0x00, 0x02, 0x0c, 0x06, 0xf4, 0x00, 0x02, 0x0c, 0x06, 0xf0, 0x00, 0x02, 0x05, 0x06},
     {{6, 5},
      {10, 6},
      {18, 8},
      {42, 9},
      {64, 10},
      {66, 11},
      {80, 10},
      {98, 9},
      {106, 14},
      {108, 15},
      {160, 16},
      {202, 18},
      {204, no_line},
      {246, 18},
      {252, no_line},
      {256, 19},
      {258, 20},
      {276, 19}}},
    {"3.11.7, far",
     LineTable::locations,
     2,
     {0x80, 0x00, 0xd8, 0x08, 0x09, 0x80, 0x41, 0xf0, 0x5a, 0x09, 0x00, 0x0c, 0x0d, 0x80, 0x48},
     {{2, 2}, {6, 3}, {10, 304}}},
    {"3.13.0, spawn",
     LineTable::locations,
     5,
     {0xe9, 0x00, 0x80, 0x00, 0xd8, 0x0c, 0x0e, 0x80, 0x45, 0xe3, 0x10, 0x15, 0x88, 0x04, 0xd8, 0x08, 0x0d, 0x8f,
      0x0c, 0x89, 0x0c, 0xdc, 0x0c, 0x13, 0xd7, 0x0c, 0x1f, 0xd2, 0x0c, 0x1f, 0xd8, 0x10, 0x14, 0xf3, 0x03, 0x02,
      0x0d, 0x0e, 0xf6, 0x03, 0x04, 0x09, 0x0a, 0xf1, 0x03, 0x00, 0x11, 0x16, 0xf6, 0x0c, 0x00, 0x08, 0x0d, 0x90,
      0x55, 0x88, 0x6c, 0xf0, 0x02, 0x03, 0x05, 0x16, 0xdc, 0x0e, 0x15, 0x8f, 0x6d, 0x8a, 0x6d, 0x98, 0x41, 0xd3,
      0x0e, 0x1e, 0xd7, 0x08, 0x1e, 0xd0, 0x08, 0x1e, 0xe0, 0x08, 0x0d, 0x8f, 0x0b, 0x89, 0x0b, 0x8c, 0x0d, 0xe1,
      0x13, 0x18, 0xf3, 0x03, 0x02, 0x0c, 0x06, 0xd9, 0x13, 0x18, 0x88, 0x61, 0x8a, 0x01, 0x91, 0x35, 0xf1, 0x03,
      0x02, 0x0c, 0x06, 0xf0, 0x00, 0x02, 0x05, 0x06, 0xf1, 0x07, 0x00, 0x09, 0x1f, 0xf8, 0xe0, 0x08, 0x0d, 0x8f,
      0x0b, 0x89, 0x0b, 0x8d, 0x0d, 0xfc, 0xf2, 0x02, 0x02, 0x0c, 0x06, 0xf9},
     {{6, 5},    {10, 6},   {20, 8},        {42, 9},   {74, 10},       {76, 11},  {84, 10},      {98, 9},
      {102, 8},  {120, 14}, {122, 15},      {182, 16}, {214, 18},      {218, 20}, {226, 19},     {242, 20},
      {248, 19}, {252, 16}, {254, no_line}, {288, 18}, {298, no_line}, {304, 19}, {308, no_line}}},
    {"3.13.0, far",
     LineTable::locations,
     2,
     {0x80, 0x00, 0xd8, 0x08, 0x09, 0x80, 0x41, 0xf0, 0x5a, 0x09, 0x00, 0x0c, 0x0d, 0x80, 0x48},
     {{2, 2}, {6, 3}, {10, 304}}},
};

class FakeMemory final : public RemoteMemory {
 public:
  void put(std::uint64_t address, const void* data, std::size_t size) {
    const auto* bytes = static_cast<const std::byte*>(data);
    for (std::size_t i = 0; i < size; ++i) bytes_[address + i] = bytes[i];
  }
  void put_u64(std::uint64_t address, std::uint64_t value) { put(address, &value, sizeof value); }

  [[nodiscard]] Result<void> read(std::uint64_t address, std::span<std::byte> out) const override {
    for (std::byte& byte : out) {
      const auto found = bytes_.find(address++);
      if (found == bytes_.end()) return fail("no such memory");
      byte = found->second;
    }
    return {};
  }

 private:
  std::map<std::uint64_t, std::byte> bytes_;
};

std::string decode(std::vector<std::uint8_t> bytes, unsigned kind, bool truncated = false) {
  return decode_text(bytes, kind, truncated);
}

TEST_CASE("every instruction has the line its own interpreter gives it") {
  for (const Case& each : cases) {
    CAPTURE(each.from);
    std::uint32_t offset = 0;
    for (const Range& range : each.expected) {
      for (; offset < range.end; offset += 2) {
        CAPTURE(offset);
        CHECK(line_at(each.kind, each.table, each.first_line, offset).value_or(no_line) == range.line);
      }
    }
  }
}

TEST_CASE("an offset behind the code has no line where the table has ends") {
  for (const Case& each : cases) {
    if (each.kind == LineTable::lnotab) continue;
    CAPTURE(each.from);
    CHECK_FALSE(line_at(each.kind, each.table, each.first_line, each.expected.back().end));
    CHECK_FALSE(line_at(each.kind, each.table, each.first_line, 0xffffffff));
  }
}

TEST_CASE("a table cut at any byte gives the right line or none") {
  for (const Case& each : cases) {
    if (each.kind == LineTable::lnotab) continue;
    const std::uint32_t last = each.expected.back().end - 2;
    for (std::size_t length = 0; length < each.table.size(); ++length) {
      const std::vector<std::uint8_t> cut(each.table.begin(), each.table.begin() + static_cast<std::ptrdiff_t>(length));
      CAPTURE(each.from, length);
      const auto line = line_at(each.kind, cut, each.first_line, last);
      CHECK((!line || *line == each.expected.back().line));
    }
  }
}

TEST_CASE("a location table of garbage ends without a line") {
  CHECK_FALSE(line_at(LineTable::locations, std::vector<std::uint8_t>{0x00, 0x01}, 1, 0));        // no start bit
  CHECK_FALSE(line_at(LineTable::locations, std::vector<std::uint8_t>(40, 0xff), 1, 10000));      // no locations
  CHECK_FALSE(line_at(LineTable::locations, std::vector<std::uint8_t>{0xe8, 0x7f, 0x7f}, 1, 0));  // endless varint
}

TEST_CASE("the kind of line table follows from the layout's flags") {
  al_layout layout{};
  layout.flags = AL_INSTR_IS_INDEX;
  CHECK(line_table_kind(layout) == LineTable::lnotab);
  layout.flags = AL_INSTR_IS_INDEX | AL_INSTR_IN_UNITS;
  CHECK(line_table_kind(layout) == LineTable::linetable);
  layout.flags = 0;
  CHECK(line_table_kind(layout) == LineTable::locations);
}

TEST_CASE("text of every kind becomes UTF-8") {
  CHECK(decode({'C', 'o', 'n', 'n'}, 1) == "Conn");
  CHECK(decode({'c', 'a', 'f', 0xe9}, 1) == "caf\u00e9");
  CHECK(decode({0x51, 0x65, 'x', 0x00}, 2) == "\u6551x");
  CHECK(decode({0x00, 0xf6, 0x01, 0x00}, 4) == "\U0001f600");
  CHECK(decode({0xc3, 0xa9, 'x'}, 8) == "\u00e9x");
  CHECK(decode({'x'}, 0).empty());
}

TEST_CASE("text that could change a terminal is shown as escapes") {
  CHECK(decode({'a', 0x1b, '[', 'm', '\n', 0x7f, 0x9b}, 1) == "a\\x1b[m\\x0a\\x7f\\x9b");
  CHECK(decode({'a', 0xff, 'b'}, 8) == "a\\xffb");
  CHECK(decode({0xc0, 0xaf}, 8) == "\\xc0\\xaf");             // overlong
  CHECK(decode({0xed, 0xa0, 0x80}, 8) == "\\xed\\xa0\\x80");  // surrogate
  CHECK(decode({0xff, 0xdc}, 2) == "\\xff");                  // PEP 383
  CHECK(decode({0x00, 0xd8}, 2) == "\ufffd");                 // lone surrogate
  CHECK(decode({0xff, 0xff, 0xff, 0x7f}, 4) == "\ufffd");
}

TEST_CASE("truncated text says so and ends with a whole character") {
  CHECK(decode({'a', 'b'}, 1, true) == "ab...");
  CHECK(decode({'a', 0xe6, 0x95}, 8, true) == "a...");
  CHECK(decode({'a', 0x00, 0x51}, 2, true) == "a...");
  CHECK(decode({'a', 0xe6, 0x95}, 8, false) == "a\\xe6\\x95");
}

TEST_CASE("a line table is read from the code object's bytes") {
  al_layout layout{};
  layout.code_linetable = 136;
  layout.bytes_size = 16;
  layout.bytes_data = 32;
  FakeMemory memory;
  memory.put_u64(0x1000 + 136, 0x2000);
  memory.put_u64(0x2000 + 16, 3);
  memory.put(0x2000 + 32, "\x80\x00\xd8", 3);
  const auto table = read_line_table(memory, layout, 0x1000);
  REQUIRE(table);
  CHECK(*table == std::vector<std::uint8_t>{0x80, 0x00, 0xd8});

  memory.put_u64(0x2000 + 16, 4);
  CHECK_FALSE(read_line_table(memory, layout, 0x1000));
  memory.put_u64(0x2000 + 16, std::uint64_t{1} << 40);
  CHECK(read_line_table(memory, layout, 0x1000).error().message ==
        "line table: larger than 1 MB, the code object is gone");
  CHECK_FALSE(read_line_table(memory, layout, 0x9000));
}

}  // namespace
}  // namespace asyncleak::python
