#include "python/process.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>
#include <filesystem>

#include "interpreters_present.h"

namespace asyncleak::python {
namespace {

// The number of a process that has just ended and been reaped.
pid_t ended_pid() {
  const pid_t pid = fork();
  if (pid == 0) _exit(0);
  waitpid(pid, nullptr, 0);
  return pid;
}

TEST_CASE("this process is listed and described") {
  const auto pids = list_processes();
  CHECK(std::ranges::count(pids, getpid()) == 1);
  const auto self = read_process(getpid());
  REQUIRE(self);
  CHECK(self->comm == "unit_python");
  CHECK(self->exe.ends_with("/unit_python"));
  CHECK(self->cmdline.find("unit_python") != std::string::npos);
  CHECK(self->start_ticks > 0);
  CHECK(self->uid == getuid());
  const auto sizes = memory_sizes(getpid());
  REQUIRE(sizes);
  CHECK(sizes->resident_bytes > 1 << 20);
  CHECK(sizes->mapped_bytes > sizes->resident_bytes);
}

TEST_CASE("a program without Python has no images") {
  const auto images = find_images(getpid());
  REQUIRE(images);
  CHECK_FALSE(images->core);
  CHECK_FALSE(images->asyncio);
}

TEST_CASE("a process that ended is said to be gone") {
  const pid_t pid = ended_pid();
  const std::string message = "no process with PID " + std::to_string(pid);
  CHECK(read_process(pid).error().message == message);
  CHECK(read_process(pid).error().kind == ErrorKind::unobservable);
  CHECK(find_images(pid).error().message == message);
  CHECK_FALSE(memory_sizes(pid));
}

TEST_CASE("the images of a Python process are its own inodes") {
  for (const Present& each : interpreters_present()) {
    CAPTURE(each.path());
    const PythonChild child(each);
    const auto images = find_images(child.pid());
    REQUIRE(images);
    REQUIRE(images->core);
    struct stat status {};
    REQUIRE(stat((each.root + images->core->path).c_str(), &status) == 0);
    CHECK(images->core->id == FileId{status.st_dev, status.st_ino});
    CHECK_FALSE(images->core->deleted);
    CHECK(is_python_file(images->core->path));
    CHECK(images->might_be_builtin == !images->asyncio);
  }
}

TEST_CASE("a deleted executable is still the inode that runs") {
  if (geteuid() != 0) return;  // map_files needs CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE
  std::string directory = std::filesystem::temp_directory_path() / "asyncleak space XXXXXX";
  REQUIRE(mkdtemp(directory.data()) != nullptr);
  const std::string copy = directory + "/python3.11";
  const auto present = interpreters_present();
  const auto system = std::ranges::find(present, "/usr/bin/python3.11", &Present::path);
  if (system == present.end()) return;
  std::filesystem::copy_file(system->path(), copy);
  const PythonChild child(Present{"", copy});
  std::filesystem::remove_all(directory);
  const auto images = find_images(child.pid());
  REQUIRE(images);
  REQUIRE(images->core);
  CHECK(images->core->deleted);
  CHECK(images->core->path == copy);
  const auto image = elf::Image::open(images->core->open_path);
  REQUIRE(image);
  CHECK(image->dynamic_symbol("_PyRuntime"));
}

TEST_CASE("another user's process is said to be that") {
  if (geteuid() != 0) return;
  const pid_t root = getpid();
  const pid_t pid = fork();
  if (pid == 0) {
    constexpr uid_t nobody = 65534;
    if (setresuid(nobody, nobody, nobody) != 0) _exit(2);
    const auto images = find_images(root);
    const bool said = !images && images.error().message == "PID " + std::to_string(root) + " belongs to another user" &&
                      images.error().advice == "run as root" && images.error().kind == ErrorKind::unobservable;
    const bool described = read_process(root).has_value();
    _exit(said && described ? 0 : 1);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  CHECK(status == 0);
}

TEST_CASE("processes are listed and read in little time") {
  const auto start = std::chrono::steady_clock::now();
  const auto pids = list_processes();
  const auto took = std::chrono::steady_clock::now() - start;
  INFO("processes: " << pids.size() << ", ns: " << took.count());
  CHECK(took < std::chrono::seconds(1));
}

}  // namespace
}  // namespace asyncleak::python
