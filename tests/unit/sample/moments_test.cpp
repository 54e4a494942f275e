#include "sample/recording.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <ctime>

using namespace asyncleak;

namespace {

constexpr std::int64_t second_ns = 1'000'000'000;
// 2026-11-21T13:59:30Z
constexpr std::int64_t start_s = 1'795'269'570;

// Every ten seconds for 20 minutes.
std::vector<RecordedMoment> moments() {
  std::vector<RecordedMoment> made;
  for (int i = 0; i < 120; ++i) {
    RecordedMoment& moment = made.emplace_back();
    moment.wall_ns = (start_s + i * 10) * second_ns + 250'000'000;
    moment.monotonic_ns = (500 + i * 10) * second_ns;
  }
  made[3].labels = {"before", "deploy"};
  made[9].labels = {"deploy"};
  made[20].labels = {"+5"};
  return made;
}

struct Zone {
  explicit Zone(const char* name) {
    setenv("TZ", name, 1);
    tzset();
  }
  ~Zone() {
    unsetenv("TZ");
    tzset();
  }
};

std::size_t at(std::string_view when) {
  const auto found = find_moment(moments(), when);
  return found ? *found : 999;
}

}  // namespace

TEST_CASE("a moment is found by its last label, before anything else") {
  CHECK(at("before") == 3);
  CHECK(at("deploy") == 9);
  CHECK(at("+5") == 20);
}

TEST_CASE("a moment is found by its distance from the ends") {
  CHECK(at("+0") == 0);
  CHECK(at("+9.9") == 0);
  CHECK(at("+10") == 1);
  CHECK(at("+1190") == 119);
  CHECK(at("+1300") == 999);
  CHECK(at("-0") == 119);
  CHECK(at("-1") == 118);
  CHECK(at("-1190") == 0);
  CHECK(at("-1300") == 999);
}

TEST_CASE("a moment is found by the time of day of the recording's place") {
  {
    const Zone zone("UTC");
    CHECK(at("13:59") == 0);  // it began within that minute
    CHECK(at("14:00") == 2);  // :50.25 to :00.25: the earlier one
    CHECK(at("14:00:01") == 3);
    CHECK(at("14:19:20") == 118);
    CHECK(at("14:19:21") == 119);
    CHECK(at("13:58") == 999);
    CHECK(at("14:25") == 999);
  }
  const Zone zone("UTC-1");  // an hour east, as POSIX has it
  CHECK(at("15:00:01") == 3);
  CHECK(at("14:00:01") == 999);
}

TEST_CASE("a recording over midnight has both days") {
  const Zone zone("UTC-10");  // begins at 23:59:30
  CHECK(at("23:59:45") == 1);
  CHECK(at("00:00:01") == 3);
  CHECK(at("00:10") == 62);
}

TEST_CASE("a moment is found by RFC 3339") {
  CHECK(at("2026-11-21T14:00:01Z") == 3);
  CHECK(at("2026-11-21T15:00:01+01:00") == 3);
  CHECK(at("2026-11-21t13:59:40.250Z") == 1);
  CHECK(at("2026-11-21 13:59:40.249Z") == 0);
  CHECK(at("2026-11-22T14:00:01Z") == 999);
}

TEST_CASE("a clock that was set back gives the first time it showed that") {
  auto made = moments();
  for (std::size_t i = 60; i < made.size(); ++i) made[i].wall_ns -= 300 * second_ns;
  CHECK(*find_moment(made, "2026-11-21T14:05:01Z") == 33);
  CHECK(*find_moment(made, "+700") == 70);
}

TEST_CASE("what is no moment is refused with what there is") {
  for (const auto* when : {"", "+", "nowhere", "25:00", "14:60", "14:5", "1e9", "+1e400", "+nan", "2026-11-21",
                           "14:05:61", "2026-13-21T25:00:01", "2026-11-21T14:00:01", "99999-01-01T00:00:00Z"}) {
    INFO(when);
    CHECK_FALSE(find_moment(moments(), when));
  }
  const auto error = find_moment(moments(), "deplyo").error();
  CHECK(error.message == "the recording has no moment 'deplyo'");
  CHECK(error.advice ==
        "its labels are before, deploy, +5; it goes from 2026-11-21T13:59:30.250Z to 2026-11-21T14:19:20.250Z, "
        "1190 seconds");
  CHECK(error.kind == ErrorKind::usage);
}
