#include "census/growth.h"

#include <catch2/catch.hpp>

namespace asyncleak::census {
namespace {

constexpr std::int64_t second = 1'000'000'000;

// One look a second, one container.
GrowthWatch after(const std::vector<std::uint64_t>& lengths) {
  GrowthWatch watch;
  std::int64_t now = 0;
  for (const auto length : lengths) watch.look({{0x1000, length, 1}}, now += second);
  return watch;
}

TEST_CASE("a container that only grows is named once it has for a while") {
  CHECK(after({100, 200, 300}).growing().empty());
  const auto growing = after({100, 200, 300, 400}).growing();
  REQUIRE(growing.size() == 1);
  CHECK(growing[0].address == 0x1000);
  CHECK(growing[0].length == 400);
}

TEST_CASE("pools, caches that are full and sawtooths are not") {
  CHECK(after({5000, 5000, 5000, 5000, 5000, 5000}).growing().empty());
  CHECK(after({5000, 5010, 5020, 5030, 5040, 5050}).growing().empty());  // 1 %
  CHECK(after({100, 300, 100, 300, 100, 300}).growing().empty());
  CHECK(after({100, 1000, 1000, 1000, 1000, 1000, 1000}).growing().empty());  // a step
}

TEST_CASE("one that was named stays until it is gone") {
  auto watch = after({100, 200, 300, 400});
  watch.look({{0x1000, 150, 1}}, 5 * second);
  CHECK(watch.growing().size() == 1);
  watch.look({}, 6 * second);
  CHECK(watch.growing().empty());
}

TEST_CASE("another type at the same address is another container") {
  auto watch = after({100, 200, 300, 400});
  watch.look({{0x1000, 500, 2}}, 5 * second);
  CHECK(watch.growing().empty());
}

TEST_CASE("the one that grows most comes first") {
  GrowthWatch watch;
  for (std::uint64_t i = 1; i <= 5; i++) {
    watch.look({{0x1000, 100 * i, 1}, {0x2000, 1000 * i, 1}}, static_cast<std::int64_t>(i) * second);
  }
  REQUIRE(watch.growing().size() == 2);
  CHECK(watch.growing()[0].address == 0x2000);
}

}  // namespace
}  // namespace asyncleak::census
