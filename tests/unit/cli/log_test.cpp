#include "cli/log.h"

#include "../temporary_folder.h"
#include "util/handle.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <catch2/catch.hpp>

namespace asyncleak::cli {

TEST_CASE("a line for people, and one for the journal") {
  CHECK(log_line(Level::error, "disk full", false) == "asyncleak-top: disk full\n");
  CHECK(log_line(Level::error, "disk full", true) == "<3>disk full\n");
  CHECK(log_line(Level::warning, "leak", true) == "<4>leak\n");
  CHECK(log_line(Level::info, "x", true) == "<6>x\n");
}

TEST_CASE("a stranger's name forges no second line") {
  CHECK(log_line(Level::info, "task\n<0>kernel panic\x1b[2J", true) == "<6>task?<0>kernel panic?[2J\n");
}

TEST_CASE("the journal is told by device and inode, not by the variable alone") {
  const test::TemporaryFolder folder;
  const Fd file(open(folder.file("stderr").c_str(), O_WRONLY | O_CLOEXEC));
  struct stat status {};
  REQUIRE(fstat(file.get(), &status) == 0);
  const std::string device = std::to_string(status.st_dev);
  CHECK(is_journal(file.get(), (device + ":" + std::to_string(status.st_ino)).c_str()));
  CHECK_FALSE(is_journal(file.get(), (device + ":" + std::to_string(status.st_ino + 1)).c_str()));
  CHECK_FALSE(is_journal(file.get(), ""));
  CHECK_FALSE(is_journal(file.get(), nullptr));
  CHECK_FALSE(is_journal(-1, device.c_str()));
}

}  // namespace asyncleak::cli
