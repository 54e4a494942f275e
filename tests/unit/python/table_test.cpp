#include "python/table.h"

#include <sys/wait.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <set>

#include "python/version.h"

namespace asyncleak::python {
namespace {

TEST_CASE("there is one row for every supported line") {
  std::set<std::string> names;
  for (const LayoutRow& row : layout_rows()) names.insert(row_name(row));
  CHECK(names.size() == layout_rows().size());
  for (const char* name : {"3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.13t", "3.14", "3.14t", "3.15", "3.15t"}) {
    CAPTURE(name);
    CHECK(names.count(name) == 1);
  }
  CHECK(supported_versions() == "3.8 to 3.15");
  CHECK(find_row(16, false) == nullptr);
  CHECK(find_row(12, true) == nullptr);
}

TEST_CASE("the rows are what the headers on this machine give") {
  constexpr int no_headers = 77;
  const int status = std::system(TEST_DATA "/../../../tools/gen-layouts --check >&2");
  REQUIRE(WIFEXITED(status));
  const int code = WEXITSTATUS(status);
  CHECK((code == 0 || code == no_headers));
}

TEST_CASE("a row's frame window is what its fields need") {
  for (const LayoutRow& row : layout_rows()) {
    CAPTURE(row_name(row));
    al_layout layout = row.layout;
    REQUIRE(set_frame_window(layout));
    CHECK(layout.frame_first == row.layout.frame_first);
    CHECK(layout.frame_span == row.layout.frame_span);
    CHECK(layout.frame_first % 8 == 0);
    CHECK(layout.frame_span <= 8 * AL_FRAME_WORDS);
  }
}

TEST_CASE("a frame too wide for one read is refused") {
  al_layout layout = find_row(11, false)->layout;
  layout.frame_instr = 400;
  CHECK_FALSE(set_frame_window(layout));
}

// The debug offsets of 3.14 as the row's own headers would have initialised them.
std::vector<std::uint64_t> words_of(const LayoutRow& row) {
  std::vector<std::uint64_t> words(debug_word_count(row.minor));
  for (const DebugField& field : debug_fields(row.minor)) {
    if (field.second == 0) words[field.first] = static_cast<std::uint64_t>(row.layout.*field.member) - field.add;
  }
  for (const DebugField& field : debug_fields(row.minor)) {
    if (field.second != 0) words[field.first] = row.layout.*field.member - words[field.second] - field.add;
  }
  return words;
}

TEST_CASE("debug offsets equal to the row change nothing") {
  for (const LayoutRow& row : layout_rows()) {
    if (row.minor < 13) continue;
    CAPTURE(row_name(row));
    const auto result = apply_debug_offsets(row, words_of(row));
    REQUIRE(result);
    CHECK(result->differences.empty());
    CHECK(result->equal == static_cast<int>(debug_fields(row.minor).size()));
    CHECK(result->layout.coro_code == row.layout.coro_code);
  }
}

TEST_CASE("debug offsets win over the row") {
  const LayoutRow& row = *find_row(14, false);
  auto words = words_of(row);
  for (const DebugField& field : debug_fields(14)) {
    if (field.name == "frame_owner") words[field.first] += 8;
  }
  const auto result = apply_debug_offsets(row, words);
  REQUIRE(result);
  CHECK(result->differences == std::vector<std::string>{"frame_owner 82, row has 74"});
  CHECK(result->layout.frame_owner == 82);
  CHECK(result->layout.frame_span == 88);
}

TEST_CASE("debug offsets that cannot be are refused") {
  const LayoutRow& row = *find_row(14, false);
  auto words = words_of(row);
  CHECK_FALSE(apply_debug_offsets(row, std::span(words).first(10)));
  words[debug_fields(14).front().first] = 1U << 20;
  CHECK(apply_debug_offsets(row, words).error().message ==
        "the debug offset of ob_type is 1048576, which no field can have");
}

TEST_CASE("the version word") {
  CHECK(version_from_hex(0x030b02f0, false).text == "3.11.2");
  CHECK(version_from_hex(0x030e00c2, false).text == "3.14.0rc2");
  CHECK(version_from_hex(0x030f00a4, false).text == "3.15.0a4");
  CHECK(version_from_hex(0x030f00b1, true).text == "3.15.0b1t");
  CHECK(version_from_hex(0x030d05f0, true).text == "3.13.5t");
  CHECK(version_from_hex(0x030d05f0, true).micro == 5);
}

TEST_CASE("the minor version in a file name") {
  CHECK(minor_from_name("/usr/bin/python3.9") == 9);
  CHECK(minor_from_name("/x/libpython3.8.so.1.0") == 8);
  CHECK(minor_from_name("/x/libpython3.10d.so.1.0") == 10);
  CHECK(minor_from_name("python3.13t") == 13);
  CHECK_FALSE(minor_from_name("/usr/bin/python3"));
  CHECK_FALSE(minor_from_name("/opt/python3.9/bin/python"));
  CHECK_FALSE(minor_from_name("/x/libpython3.so"));
}

}  // namespace
}  // namespace asyncleak::python
