#include "cli/command_path.h"

#include "../temporary_folder.h"

#include <catch2/catch.hpp>
#include <cstdlib>

namespace asyncleak::cli {
namespace {

using test::TemporaryFolder;

// PATH while this lives.
class SearchPath {
 public:
  explicit SearchPath(const std::string& path) {
    if (const char* before = std::getenv("PATH"); before != nullptr) before_ = before;
    setenv("PATH", path.c_str(), 1);
  }
  SearchPath(const SearchPath&) = delete;
  SearchPath& operator=(const SearchPath&) = delete;
  ~SearchPath() { setenv("PATH", before_.c_str(), 1); }

 private:
  std::string before_;
};

}  // namespace

TEST_CASE("a name with a slash is a path, any other is searched for") {
  const TemporaryFolder folder;
  const auto program = folder.executable("second/python3");
  const SearchPath path(folder.path() + "/first:" + folder.path() + "/second");
  CHECK(interpreter_of(program) == program);
  CHECK(interpreter_of("python3") == program);
  CHECK_FALSE(interpreter_of("python4"));
  CHECK_FALSE(interpreter_of("./python3"));
  const auto earlier = folder.executable("first/python3");
  CHECK(interpreter_of("python3") == earlier);
}

TEST_CASE("what cannot be executed is passed over") {
  const TemporaryFolder folder;
  (void)folder.file("first/tool", "no permission");
  std::filesystem::create_directories(folder.path() + "/second/tool");
  const auto program = folder.executable("third/tool");
  const SearchPath path(folder.path() + "/first:" + folder.path() + "/second:" + folder.path() + "/third");
  CHECK(interpreter_of("tool") == program);
  CHECK_FALSE(interpreter_of(folder.path() + "/first/tool"));
  CHECK_FALSE(interpreter_of(folder.path() + "/second/tool"));  // a folder
  CHECK_FALSE(interpreter_of(folder.path() + "/second/none"));
  CHECK_FALSE(interpreter_of(""));
}

TEST_CASE("symbolic links are followed to the file: a virtual environment's python") {
  const TemporaryFolder folder;
  const auto program = folder.executable("usr/bin/python3.11");
  std::filesystem::create_directories(folder.path() + "/venv/bin");
  std::filesystem::create_symlink(program, folder.path() + "/venv/bin/python3");
  std::filesystem::create_symlink("python3", folder.path() + "/venv/bin/python");
  CHECK(interpreter_of(folder.path() + "/venv/bin/python") == program);
  std::filesystem::create_symlink("nowhere", folder.path() + "/venv/bin/broken");
  CHECK_FALSE(interpreter_of(folder.path() + "/venv/bin/broken"));
}

TEST_CASE("a script is run by what its first line names") {
  const TemporaryFolder folder;
  const auto python = folder.executable("bin/python3.11");
  const SearchPath path(folder.path() + "/bin");
  const std::string in_bin = folder.path() + "/bin/";
  const auto script = [&](const std::string& first_line) {
    return interpreter_of(folder.executable("script", first_line + "\nprint('#!/bin/sh')\n"));
  };
  CHECK(script("#!" + in_bin + "python3.11") == python);
  CHECK(script("#! " + in_bin + "python3.11 -I") == python);
  CHECK(script("#!/usr/bin/env python3.11") == python);
  CHECK(script("#!/usr/bin/env -S python3.11 -u") == python);
  CHECK(script("#!/usr/bin/env -S -i PYTHONHASHSEED=0 A=b python3.11") == python);
  CHECK_FALSE(script("#!/usr/bin/env nothing-of-the-kind"));
  CHECK_FALSE(script("#!/usr/bin/env"));
  CHECK_FALSE(script("#!/usr/bin/env -i"));
  CHECK_FALSE(script("#!" + in_bin + "missing"));
  CHECK_FALSE(script("#!"));
  const auto itself = script("print('no first line of that kind')");
  CHECK(itself == folder.path() + "/script");
}

TEST_CASE("scripts may be run by scripts, as deep as the kernel goes") {
  const TemporaryFolder folder;
  const auto python = folder.executable("python");
  std::string last = python;
  for (const char* name : {"1", "2", "3", "4", "5"}) last = folder.executable(name, "#!" + last + "\n");
  CHECK(interpreter_of(last) == python);
  CHECK_FALSE(interpreter_of(folder.executable("6", "#!" + last + "\n")));
  const auto loop = folder.path() + "/loop";
  CHECK_FALSE(interpreter_of(folder.executable("loop", "#!" + loop + "\n")));
}

}  // namespace asyncleak::cli
