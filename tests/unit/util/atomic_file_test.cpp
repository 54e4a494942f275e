#include "util/atomic_file.h"

#include <sys/stat.h>
#include <unistd.h>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>

using namespace asyncleak;
namespace fs = std::filesystem;

namespace {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (fs::temp_directory_path() / "asyncleak-test-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~TemporaryDirectory() { fs::remove_all(path_); }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  [[nodiscard]] std::string file(const std::string& name) const { return (path_ / name).string(); }
  [[nodiscard]] std::size_t entries() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(path_), fs::directory_iterator()));
  }

 private:
  fs::path path_;
};

std::string content_of(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace

TEST_CASE("a file is replaced whole, readable by all, and nothing else is left") {
  const TemporaryDirectory directory;
  const std::string path = directory.file("metrics.prom");
  REQUIRE(write_file_atomically(path, "old\n"));
  REQUIRE(write_file_atomically(path, "new\n"));
  CHECK(content_of(path) == "new\n");
  CHECK(directory.entries() == 1);
  struct stat status {};
  REQUIRE(stat(path.c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0644);
}

TEST_CASE("a missing directory is one clear line") {
  const TemporaryDirectory directory;
  const std::string path = directory.file("absent/metrics.prom");
  const auto done = write_file_atomically(path, "x");
  REQUIRE_FALSE(done);
  CHECK(done.error().message == "creating " + path + ": No such file or directory");
}

TEST_CASE("a failed rename leaves no temporary file and the target untouched") {
  const TemporaryDirectory directory;
  const std::string path = directory.file("metrics.prom");
  fs::create_directory(path);
  CHECK_FALSE(write_file_atomically(path, "x"));
  CHECK(directory.entries() == 1);
}

TEST_CASE("a published file is removed at the end, a stranger's is not") {
  const TemporaryDirectory directory;
  const std::string path = directory.file("metrics.prom");
  {
    PublishedFile file(path);
    REQUIRE(file.write("x"));
    const PublishedFile moved = std::move(file);
    CHECK(fs::exists(path));
  }
  CHECK_FALSE(fs::exists(path));
  std::ofstream(path) << "somebody else's";
  { const PublishedFile never_written(path); }
  CHECK(fs::exists(path));
}
