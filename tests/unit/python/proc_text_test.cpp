#include "python/proc_text.h"

#include <catch2/catch.hpp>
#include <string>

namespace asyncleak::python {
namespace {

TEST_CASE("a maps line with a file") {
  const auto mapping = parse_mapping(
      "7f3a1c000000-7f3a1c1f4000 r-xp 0002a000 08:01 131090                     /usr/lib/libpython3.11.so.1.0");
  REQUIRE(mapping);
  CHECK(mapping->start == 0x7f3a1c000000);
  CHECK(mapping->end == 0x7f3a1c1f4000);
  CHECK(mapping->offset == 0x2a000);
  CHECK(mapping->id == FileId{0x801, 131090});
  CHECK(map_files_name(*mapping) == "7f3a1c000000-7f3a1c1f4000");
  CHECK(mapping->path == "/usr/lib/libpython3.11.so.1.0");
  CHECK(mapping->executable);
  CHECK_FALSE(mapping->deleted);
}

TEST_CASE("paths with spaces, newlines, deleted files and memfds") {
  CHECK(parse_mapping("1000-2000 r--p 00000000 00:1f 7 /opt/my app/python3.12")->path == "/opt/my app/python3.12");
  CHECK(parse_mapping("1000-2000 r--p 00000000 00:1f 7 /tmp/a\\012b")->path == "/tmp/a\nb");
  const auto deleted = parse_mapping("1000-2000 r-xp 00000000 00:1f 7 /usr/bin/python3.11 (deleted)");
  CHECK(deleted->path == "/usr/bin/python3.11");
  CHECK(deleted->deleted);
  const auto memfd = parse_mapping("1000-2000 r-xp 00000000 00:01 7 /memfd:_asyncio.so (deleted)");
  CHECK(memfd->path == "/memfd:_asyncio.so");
  CHECK(memfd->deleted);
}

TEST_CASE("map_files names have no leading zeros") {
  const auto mapping = parse_mapping("0041f000-006cf000 r-xp 0001f000 fe:00 10952756 /usr/bin/python3.11");
  REQUIRE(mapping);
  CHECK(map_files_name(*mapping) == "41f000-6cf000");
}

TEST_CASE("maps lines without a file are skipped") {
  for (const char* line :
       {"7ffd1000-7ffd2000 rw-p 00000000 00:00 0                          [stack]", "1000-2000 rw-p 00000000 00:00 0 ",
        "1000-2000 r-xp 00000000 00:1f 7 anon_inode:[perf_event]", "", "junk", "1000-2000 r-xp zz 00:1f 7 /x",
        "1000-2000 r-xp 00000000 00:1f 7"}) {
    CAPTURE(line);
    CHECK_FALSE(parse_mapping(line));
  }
}

TEST_CASE("a process's name, start time and whether it is ending, from /proc/PID/stat") {
  const auto living = parse_stat("4242 (python3) S 1 4242 4242 0 -1 4194304 1500 0 0 0 12 3 0 0 20 0 1 0 8123 1 2\n");
  REQUIRE(living);
  CHECK(living->comm == "python3");
  CHECK_FALSE(living->ending);
  CHECK(living->start_ticks == 8123);
  const auto ending = parse_stat("4242 (python3) Z 1 4242 4242 0 -1 4227084 1500 0 0 0 12 3 0 0 20 0 1 0 8123 0 0\n");
  REQUIRE(ending);
  CHECK(ending->ending);
}

TEST_CASE("a process may be called anything") {
  const std::string numbers = " R 1 7 7 34816 7 4 0 0 0 0 0 0 0 0 20 0 1 0 987654";
  const auto odd = parse_stat("7 (a) S (b) c)" + numbers);
  REQUIRE(odd);
  CHECK(odd->comm == "a) S (b) c");
  CHECK(odd->ending);
  CHECK(odd->start_ticks == 987654);
  REQUIRE(parse_stat("7 ()" + numbers));
  CHECK(parse_stat("7 ()" + numbers)->comm.empty());
}

TEST_CASE("what is no such text is no process") {
  for (const char* text : {"", "7", "7 (python3", "7 python3) S", ")(", "7 (python3)", "7 (python3) S 1 7 7 0 -1",
                           "7 (python3) S 1 7 7 0 -1 4194304 1500 0 0 0 12 3 0 0 20 0 1 0",
                           "7 (python3) S 1 7 7 0 -1 x 1500 0 0 0 12 3 0 0 20 0 1 0 8123 1 2",
                           "7 (python3) S 1 7 7 0 -1 4194304 1500 0 0 0 12 3 0 0 20 0 1 0 x 1 2"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_stat(text));
  }
}

TEST_CASE("the PID inside is told where it is another") {
  CHECK(parse_inner_pid("Name:\tpython3\nNSpid:\t4711\t19\t7\nNSpgid:\t4711\t19\t7\n") == 7);
  CHECK(parse_inner_pid("NSpid:\t4711\t7\n") == 7);
  for (const char* text : {"", "NSpid:\t4711\n", "NSpid:", "NSpid:\t", "NSpid:\t1\tx\n", "NSpid:\t1\t99999999999\n",
                           "NSpid:\t1\t\n", "Pid:\t1\t2\n"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_inner_pid(text));
  }
}

TEST_CASE("a variable of an environment") {
  using namespace std::string_literals;
  const std::string environment = "XHOSTNAME=no\0HOSTNAME\0HOSTNAME=web-0\0HOSTNAME=second\0EMPTY=\0LAST=x=y"s;
  CHECK(variable(environment, "HOSTNAME") == "web-0");
  CHECK(variable(environment, "LAST") == "x=y");
  CHECK(variable(environment, "EMPTY").empty());
  CHECK(variable(environment, "HOST").empty());
  CHECK(variable("", "HOSTNAME").empty());
}

TEST_CASE("a command line is one printable line") {
  using namespace std::string_literals;
  CHECK(parse_cmdline("python3\0-m\0uvicorn\0"s) == "python3 -m uvicorn");
  CHECK(parse_cmdline("python3\0-c\0import x\nrun()\x1b[2J\0"s) == "python3 -c import x?run()?[2J");
  CHECK(parse_cmdline("").empty());
}

TEST_CASE("file names of interpreters and of the asyncio module") {
  for (const char* path : {"/usr/bin/python3.11", "/usr/bin/python3", "/opt/lib/libpython3.8.so.1.0",
                           "/usr/lib/libpython3.13t.so.1.0", "/x/_asyncio.cpython-311-x86_64-linux-gnu.so"}) {
    CAPTURE(path);
    CHECK(is_python_file(path));
  }
  for (const char* path :
       {"/usr/lib/libpython3.so", "/usr/bin/perl", "/usr/lib/libpython2.7.so.1.0", "/x/asyncio.so"}) {
    CAPTURE(path);
    CHECK_FALSE(is_python_file(path));
  }
  CHECK(is_asyncio_file("/x/_asyncio.so"));
  CHECK_FALSE(is_asyncio_file("/x/_asyncio.py"));
}

}  // namespace
}  // namespace asyncleak::python
