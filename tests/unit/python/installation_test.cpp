#include "python/installation.h"

#include "../temporary_folder.h"

#include <catch2/catch.hpp>

namespace asyncleak::python {
namespace {

using test::TemporaryFolder;

const std::string module = "lib-dynload/_asyncio.cpython-311-x86_64-linux-gnu.so";

}  // namespace

TEST_CASE("the asyncio module lies where the installation of an executable has it") {
  for (const char* lib : {"lib/", "lib64/"}) {
    const TemporaryFolder folder;
    const auto expected = folder.file("usr/" + std::string(lib) + "python3.11/" + module);
    CHECK(find_asyncio_module(folder.path() + "/usr/bin/python3.11", 11) == expected);
  }
}

TEST_CASE("a shared library may be one or two folders down") {
  const TemporaryFolder folder;
  const auto expected = folder.file("usr/lib/python3.11/" + module);
  CHECK(find_asyncio_module(folder.path() + "/usr/lib/libpython3.11.so.1.0", 11) == expected);
  CHECK(find_asyncio_module(folder.path() + "/usr/lib/x86_64-linux-gnu/libpython3.11.so.1.0", 11) == expected);
}

TEST_CASE("versions do not mix; a free-threaded installation has its own folder") {
  const TemporaryFolder folder;
  (void)folder.file("lib/python3.10/" + module);
  CHECK_FALSE(find_asyncio_module(folder.path() + "/bin/python3.13", 13));
  const auto free_threaded = folder.file("lib/python3.13t/lib-dynload/_asyncio.cpython-313t-x86_64-linux-gnu.so");
  CHECK(find_asyncio_module(folder.path() + "/bin/python3.13t", 13) == free_threaded);
}

TEST_CASE("in another root the answer is as that root's processes see it") {
  const TemporaryFolder folder;
  (void)folder.file("root/usr/lib/python3.11/" + module);
  CHECK(find_asyncio_module("/usr/bin/python3.11", 11, folder.path() + "/root") == "/usr/lib/python3.11/" + module);
}

TEST_CASE("no installation around a file: no module") {
  const TemporaryFolder folder;
  CHECK_FALSE(find_asyncio_module("/srv/app/python3.11", 11, folder.path()));
  CHECK_FALSE(find_asyncio_module("python3.11", 11, folder.path()));
  CHECK_FALSE(find_asyncio_module("", 11, folder.path()));
}

TEST_CASE("the shared library beside an executable") {
  for (const char* lib : {"lib/", "lib64/", "lib/x86_64-linux-gnu/"}) {
    const TemporaryFolder folder;
    const auto expected = folder.file(lib + std::string("libpython3.11.so.1.0"));
    CHECK(find_shared_library(folder.path() + "/bin/python3.11") == expected);
    CHECK_FALSE(find_shared_library(folder.path() + "/bin/python3.12"));
  }
}

}  // namespace asyncleak::python
