#include "util/atomic_file.h"

#include "util/handle.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
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

namespace {

mode_t mode_of(const std::string& path) {
  struct stat status {};
  REQUIRE(lstat(path.c_str(), &status) == 0);
  return status.st_mode & 07777;
}

// CHECKED in a process without privileges: root gives them up.
template <class Checked>
bool as_stranger(Checked checked) {
  const pid_t child = fork();
  if (child == 0) {
    constexpr uid_t stranger = 54321;
    const bool changed = geteuid() != 0 || (setgid(stranger) == 0 && setuid(stranger) == 0);
    _exit(changed && checked() ? 0 : 1);
  }
  int status = -1;
  waitpid(child, &status, 0);
  return status == 0;
}

}  // namespace

TEST_CASE("a symbolic link in the file's place is neither followed nor replaced") {
  const TemporaryDirectory directory;
  const std::string path = directory.file("metrics.prom");
  const std::string victim = directory.file("victim");
  std::ofstream(victim) << "precious";
  fs::permissions(victim, fs::perms::owner_read);
  fs::create_symlink(victim, path);
  PublishedFile file(path);
  const auto done = file.write("x");
  REQUIRE_FALSE(done);
  CHECK(done.error().message == path + " is a symbolic link, which is not followed");
  CHECK(done.error().advice == "remove it, or give another name");
  CHECK(content_of(victim) == "precious");
  CHECK(mode_of(victim) == 0400);
  CHECK(fs::is_symlink(path));
  CHECK(directory.entries() == 2);
  fs::remove(path);
  REQUIRE(file.write("x"));  // and it recovers
  CHECK(content_of(path) == "x");
}

TEST_CASE("a directory in the file's place is told as such") {
  const TemporaryDirectory directory;
  const std::string path = directory.file("metrics.prom");
  fs::create_directory(path);
  const auto done = PublishedFile(path).write("x");
  REQUIRE_FALSE(done);
  CHECK(done.error().message == path + " is not a file");
  CHECK(directory.entries() == 1);
}

TEST_CASE("a directory that goes and comes back") {
  const TemporaryDirectory directory;
  const std::string folder = directory.file("textfile");
  const std::string path = folder + "/metrics.prom";
  fs::create_directory(folder);
  PublishedFile file(path);
  REQUIRE(file.write("1"));
  fs::remove_all(folder);
  const auto done = file.write("2");
  REQUIRE_FALSE(done);
  CHECK(done.error().message == "creating " + path + ": No such file or directory");
  std::ofstream(folder) << "a file where the directory was";
  REQUIRE_FALSE(file.write("3"));
  CHECK(file.write("3").error().message == "creating " + path + ": Not a directory");
  fs::remove(folder);
  fs::create_directory(folder);
  REQUIRE(file.write("4"));
  CHECK(content_of(path) == "4");
}

TEST_CASE("a link to the directory is followed when it is our own, or root's") {
  const TemporaryDirectory directory;
  fs::create_directory(directory.file("real"));
  fs::create_directory_symlink("real", directory.file("link"));
  REQUIRE(PublishedFile(directory.file("link/metrics.prom")).write("x"));
  fs::create_directory_symlink("loop", directory.file("loop"));
  const auto looped = PublishedFile(directory.file("loop/metrics.prom")).write("x");
  REQUIRE_FALSE(looped);
  CHECK(looped.error().message.ends_with("Too many levels of symbolic links"));
}

TEST_CASE("stale temporary files of a killed predecessor are removed, and nothing else") {
  const TemporaryDirectory directory;
  const std::string path = directory.file("metrics.prom");
  const std::string stale = directory.file(".metrics.prom.asyncleak-0123456789abcdef");
  const std::string in_use = directory.file(".metrics.prom.asyncleak-1123456789abcdef");
  const std::string link = directory.file(".metrics.prom.asyncleak-2123456789abcdef");
  const std::string other = directory.file(".other.prom.asyncleak-0123456789abcdef");
  const std::string victim = directory.file("victim");
  for (const auto& each : {stale, in_use, other, victim}) std::ofstream(each) << "x";
  fs::create_symlink(victim, link);
  const Fd writer(open(in_use.c_str(), O_WRONLY | O_CLOEXEC));
  REQUIRE(flock(writer.get(), LOCK_EX) == 0);
  PublishedFile file(path);
  REQUIRE(file.write("y"));
  CHECK_FALSE(fs::exists(stale));
  CHECK(fs::exists(in_use));
  CHECK(fs::is_symlink(link));
  CHECK(fs::exists(other));
  CHECK(fs::exists(victim));
}

TEST_CASE("at the end a file that somebody else has put there meanwhile stays") {
  const TemporaryDirectory directory;
  const std::string path = directory.file("metrics.prom");
  {
    PublishedFile file(path);
    REQUIRE(file.write("ours"));
    std::ofstream(directory.file("new")) << "another's";
    fs::rename(directory.file("new"), path);
  }
  CHECK(content_of(path) == "another's");
}

TEST_CASE("a directory in which nothing may be made") {
  const TemporaryDirectory directory;
  fs::permissions(directory.file("."), fs::perms::all);
  fs::create_directory(directory.file("closed"));
  fs::permissions(directory.file("closed"), fs::perms(0555));
  const std::string path = directory.file("closed/metrics.prom");
  CHECK(as_stranger([&] {
    const auto refused = PublishedFile(path).write("x");
    return !refused && refused.error().message == "creating " + path + ": Permission denied";
  }));
}
