#include "census/cached_memory.h"

#include <array>
#include <catch2/catch.hpp>
#include <cstring>
#include <fstream>

namespace asyncleak::census {
namespace {

constexpr std::uint64_t page = CachedMemory::page_bytes;

// Pages first to past; every word is its own address plus a shift.
class Pages final : public python::RemoteMemory {
 public:
  Pages(std::uint64_t first, std::uint64_t past) : first_(first * page), past_(past * page) {}

  [[nodiscard]] Result<void> read(std::uint64_t address, std::span<std::byte> out) const override {
    ++reads;
    if (address < first_ || address > past_ || out.size() > past_ - address) return fail("not mapped");
    for (std::size_t i = 0; i < out.size(); ++i) {
      const auto word = (address + i) / 8 * 8 + shift;
      out[i] = static_cast<std::byte>(word >> (address + i) % 8 * 8);
    }
    return {};
  }

  mutable int reads = 0;
  std::uint64_t shift = 0;

 private:
  std::uint64_t first_, past_;
};

TEST_CASE("a page is read once") {
  const Pages pages(1, 4);
  const CachedMemory memory(&pages, 16 * page);
  for (std::uint64_t address = page; address < 2 * page; address += 8) {
    CHECK(memory.value<std::uint64_t>(address).value() == address);
  }
  CHECK(pages.reads == 1);
}

TEST_CASE("a read over the edge of pages is whole") {
  const Pages pages(1, 4);
  const CachedMemory memory(&pages, 16 * page);
  std::array<std::uint64_t, 600> words;
  REQUIRE(memory.read(2 * page - 40, std::as_writable_bytes(std::span(words))));
  CHECK(words.front() == 2 * page - 40);
  CHECK(words.back() == 2 * page - 40 + 599 * 8);
  CHECK(pages.reads == 3);
}

TEST_CASE("what is not mapped is an error, and is asked for again") {
  const Pages pages(1, 4);
  const CachedMemory memory(&pages, 16 * page);
  CHECK_FALSE(memory.value<std::uint64_t>(0));
  CHECK_FALSE(memory.value<std::uint64_t>(4 * page - 4));
  CHECK_FALSE(memory.value<std::uint64_t>(~std::uint64_t{0} - 3));
  CHECK(memory.value<std::uint64_t>(4 * page - 8).value() == 4 * page - 8);
}

TEST_CASE("the oldest page goes first, and never more are kept than allowed") {
  const Pages pages(1, 9);
  const CachedMemory memory(&pages, 2 * page);
  const auto touch = [&](std::uint64_t number) { CHECK(memory.value<std::uint64_t>(number * page)); };
  touch(1), touch(2), touch(1), touch(2);
  CHECK(pages.reads == 2);
  touch(3);  // 1 goes
  touch(2), touch(3);
  CHECK(pages.reads == 3);
  touch(1);  // 2 goes
  touch(3);
  CHECK(pages.reads == 4);
  touch(2);
  CHECK(pages.reads == 5);
}

TEST_CASE("a new look sees what has changed") {
  Pages pages(1, 4);
  CachedMemory memory(&pages, 16 * page);
  CHECK(memory.value<std::uint64_t>(page).value() == page);
  pages.shift = 1;
  CHECK(memory.value<std::uint64_t>(page).value() == page);
  memory.forget();
  CHECK(memory.value<std::uint64_t>(page).value() == page + 1);
}

std::size_t resident_bytes() {
  std::size_t all = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> all >> resident;
  return resident * page;
}

TEST_CASE("what was looked at does not stay in memory") {
  constexpr std::uint64_t many = 16 * 256;
  const Pages pages(1, many + 1);
  CachedMemory memory(&pages, many * page);
  const auto before = resident_bytes();
  for (std::uint64_t number = 1; number <= many; ++number) CHECK(memory.value<std::uint64_t>(number * page));
  CHECK(resident_bytes() > before + many * page * 3 / 4);
  memory.forget();
  CHECK(resident_bytes() < before + many * page / 4);
}

TEST_CASE("a large read passes by the cache") {
  const Pages pages(0, 64);
  const CachedMemory memory(&pages, 2 * page);
  std::vector<std::byte> bytes(32 * page);
  REQUIRE(memory.read(page, bytes));
  CHECK(pages.reads == 1);
  std::uint64_t last = 0;
  std::memcpy(&last, bytes.data() + bytes.size() - 8, 8);
  CHECK(last == 33 * page - 8);
}

}  // namespace
}  // namespace asyncleak::census
