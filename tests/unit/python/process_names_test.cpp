#include "python/process_names.h"

#include "../temporary_folder.h"
#include "python/target_root.h"

#include <sys/stat.h>
#include <unistd.h>
#include <catch2/catch.hpp>
#include <chrono>

namespace asyncleak::python {
namespace {

TEST_CASE("a small file in a root: cut, and nothing but a file") {
  const test::TemporaryFolder folder;
  const std::string file = folder.file("name", "web-0\nrest\n");
  CHECK(read_in_root(getpid(), file.c_str(), 100) == "web-0\nrest\n");
  CHECK(read_in_root(getpid(), file.c_str(), 5) == "web-0");
  CHECK(read_in_root(getpid(), folder.file("empty").c_str(), 5) == "");
  const std::string fifo = folder.path() + "/fifo";
  REQUIRE(mkfifo(fifo.c_str(), 0600) == 0);
  for (const std::string& path :
       {fifo, folder.path(), folder.path() + "/missing", std::string("/dev/zero"), std::string("/proc/self/fd/0")}) {
    CAPTURE(path);
    CHECK_FALSE(read_in_root(getpid(), path.c_str(), 5));
  }
  const std::string link = folder.path() + "/link", loop = folder.path() + "/loop";
  REQUIRE(symlink("name", link.c_str()) == 0);
  REQUIRE(symlink("loop", loop.c_str()) == 0);
  CHECK(read_in_root(getpid(), link.c_str(), 5) == "web-0");
  CHECK_FALSE(read_in_root(getpid(), loop.c_str(), 5));
}

TEST_CASE("when a process was started, the same each time") {
  auto info = read_process(getpid());
  REQUIRE(info);
  add_names(*info);
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const auto age_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(now).count() - info->started_wall_ns;
  CHECK(age_ns > -1'000'000'000);
  CHECK(age_ns < 600'000'000'000);
  const auto started = info->started_wall_ns;
  add_names(*info);
  CHECK(info->started_wall_ns == started);
}

}  // namespace
}  // namespace asyncleak::python
