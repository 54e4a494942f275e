#include "model/byte_ages.h"

#include <catch2/catch.hpp>

using namespace asyncleak;

namespace {

constexpr std::int64_t now_ns = 1'000'000'000'000;

ByteCohort born(double from_s_ago, double to_s_ago, std::uint64_t bytes) {
  return {now_ns - static_cast<std::int64_t>(from_s_ago * 1e9), now_ns - static_cast<std::int64_t>(to_s_ago * 1e9),
          bytes};
}

std::vector<std::uint64_t> bytes_of(const std::vector<AgedBytes>& ages) {
  std::vector<std::uint64_t> all;
  for (const AgedBytes& age : ages) all.push_back(age.bytes);
  return all;
}

}  // namespace

TEST_CASE("bytes by age: youngest first, without gaps, up to the oldest") {
  CHECK(bytes_by_age({}, now_ns).empty());
  const auto ages = bytes_by_age({born(90, 80, 500), born(6, 5, 40), born(1, 0, 7)}, now_ns);
  CHECK(bytes_of(ages) == std::vector<std::uint64_t>{7, 40, 0, 500});
  CHECK(ages[3].from_s == 60);
  CHECK(ages[3].to_s == 600.0);
  const auto old = bytes_by_age({born(200'000, 190'000, 3)}, now_ns);
  CHECK(bytes_of(old) == std::vector<std::uint64_t>{0, 0, 0, 0, 0, 0, 0, 3});
  CHECK(old.back().from_s == 86'400);
  CHECK_FALSE(old.back().to_s);
}

TEST_CASE("a cohort that a bound cuts is shared out, and nothing is lost by rounding") {
  CHECK(bytes_older_than({born(80, 40, 100)}, 60, now_ns) == 50);
  CHECK(bytes_of(bytes_by_age({born(64, 56, 1001), born(12, 4, 101), born(4, -4, 10)}, now_ns)) ==
        std::vector<std::uint64_t>{2, 84, 525, 501});  // the last is still being filled
  CHECK(bytes_older_than({born(60, 60, 9)}, 59, now_ns) == 9);
  CHECK(bytes_older_than({born(60, 60, 9)}, 60, now_ns) == 0);
}

TEST_CASE("bytes per minute in words") {
  CHECK(format_bytes_change(1'258'291.2) == "+1.20MiB");
  CHECK(format_bytes_change(-340) == "-340B");
  CHECK(format_bytes_change(-0.4) == "0B");
}
