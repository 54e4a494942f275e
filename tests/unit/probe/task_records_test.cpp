#include "probe/task_records.h"

#include <catch2/catch.hpp>

namespace asyncleak::probe {

TEST_CASE("a process's name and whether it is ending, from /proc/PID/stat") {
  const auto living = parse_stat("4242 (python3) S 1 4242 4242 0 -1 4194304 1500 0 0 0 12 3 0 0 20 0 1 0 8123 1 2");
  REQUIRE(living);
  CHECK(living->comm == "python3");
  CHECK_FALSE(living->ending);
  const auto ending = parse_stat("4242 (python3) Z 1 4242 4242 0 -1 4227084 1500 0 0 0 12 3 0 0 20 0 1 0 8123 0 0");
  REQUIRE(ending);
  CHECK(ending->ending);
}

TEST_CASE("a process may be called anything") {
  const auto odd = parse_stat("7 (a) S (b) c) R 1 7 7 34816 7 4 0 0");
  REQUIRE(odd);
  CHECK(odd->comm == "a) S (b) c");
  CHECK(odd->ending);
  REQUIRE(parse_stat("7 () S 1 7 7 0 -1 4194304 0"));
  CHECK(parse_stat("7 () S 1 7 7 0 -1 4194304 0")->comm.empty());
}

TEST_CASE("what is no such text is no process") {
  for (const char* text : {"", "7", "7 (python3", "7 python3) S", ")(", "7 (python3)", "7 (python3) S 1 7 7 0 -1",
                           "7 (python3) S 1 7 7 x -1 4194304"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_stat(text));
  }
}

}  // namespace asyncleak::probe
