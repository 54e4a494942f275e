#include "elf/symbols.h"

#include "elf/task_functions.h"
#include "fixture.h"

#include <lzma.h>

namespace asyncleak::elf {
namespace {

constexpr std::string_view shared = "-shared -fPIC -DSTATIC_TYPE -Wl,--build-id=0xabcdef0123456789";

SymbolTable table_with(std::vector<Symbol> functions) { return {SymbolSource::symtab, "", std::move(functions)}; }

// Where a file's functions are, for comparing two sources.
std::optional<std::uint64_t> init_of(const std::optional<SymbolTable>& table) {
  return table ? table->find("_asyncio_Task___init__") : std::nullopt;
}

std::optional<SymbolTable> load(const std::string& file, const std::string& path, const std::string& root) {
  const auto image = Image::open(file);
  REQUIRE(image);
  return load_symbols(*image, path, root);
}

TEST_CASE("a function is found by its name or its only LTO twin, never by a part of it") {
  const auto table = table_with({{"f.cold", 1, 1},
                                 {"f.lto_priv.0", 2, 1},
                                 {"f.lto_priv.0.cold", 3, 1},
                                 {"f.part.0", 4, 1},
                                 {"g", 5, 1},
                                 {"g.lto_priv.0", 6, 1},
                                 {"h", 7, 1},
                                 {"h", 8, 1},
                                 {"i.lto_priv.0", 9, 1},
                                 {"i.lto_priv.1", 10, 1},
                                 {"j.cold", 11, 1},
                                 {"k", 12, 1},
                                 {"k", 12, 1}});
  CHECK(table.find("f") == 2);
  CHECK(table.find("g") == 5);
  CHECK_FALSE(table.find("h"));
  CHECK_FALSE(table.find("i"));
  CHECK_FALSE(table.find("j"));
  CHECK(table.find("k") == 12);
  CHECK_FALSE(table.find("absent"));
}

TEST_CASE("a separate debug file is found by build-id, under the process's root") {
  test::Workshop workshop;
  const std::string file = workshop.compile("fake_asyncio.c", shared);
  const std::string stripped = workshop.stripped(file);
  const std::string root = workshop.directory() + "/root";
  const std::string folder = root + "/usr/lib/debug/.build-id/ab";
  CHECK_FALSE(load(stripped, "/lib/fake.so", root));
  workshop.run("mkdir -p " + folder);
  SECTION("that build's") {
    workshop.run("objcopy --only-keep-debug " + file + " " + folder + "/cdef0123456789.debug");
    const auto table = load(stripped, "/lib/fake.so", root);
    REQUIRE(table);
    CHECK(table->source == SymbolSource::debug_file);
    CHECK(table->path == folder + "/cdef0123456789.debug");
    CHECK(init_of(table) == init_of(load(file, file, "")));
    const auto image = Image::open(stripped);
    const auto found = find_task_functions(*image, "/lib/fake.so", root);
    REQUIRE(found);
    CHECK(found->rung == Rung::debug_file);
    CHECK(found->task_basicsize == 176);
  }
  SECTION("another build's under the same name") {
    const std::string other =
        workshop.compile("fake_asyncio.c", "-shared -fPIC -DSPEC -Wl,--build-id=0xabcdef0123456780");
    workshop.run("objcopy --only-keep-debug " + other + " " + folder + "/cdef0123456789.debug");
    CHECK_FALSE(load(stripped, "/lib/fake.so", root));
  }
  SECTION("garbage under the same name") {
    workshop.run("echo nonsense > " + folder + "/cdef0123456789.debug");
    CHECK_FALSE(load(stripped, "/lib/fake.so", root));
  }
}

TEST_CASE("a debug link is followed to the three usual places when the checksum fits") {
  test::Workshop workshop;
  const std::string file = workshop.compile("fake_asyncio.c", "-shared -fPIC -DSTATIC_TYPE -Wl,--build-id=none");
  const std::string root = workshop.directory() + "/root";
  const std::string stripped = workshop.stripped(file);
  const std::string debug = workshop.directory() + "/fake.debug";
  workshop.run("objcopy --only-keep-debug " + file + " " + debug);
  workshop.run("objcopy --add-gnu-debuglink=" + debug + " " + stripped);
  for (const char* place : {"/opt/py", "/opt/py/.debug", "/usr/lib/debug/opt/py"}) {
    std::string folder = root;
    folder += place;
    std::string copy = folder;
    copy += "/fake.debug";
    INFO(copy);
    CHECK_FALSE(load(stripped, "/opt/py/fake.so", root));
    workshop.run("mkdir -p " + folder);
    std::filesystem::copy_file(debug, copy);
    const auto table = load(stripped, "/opt/py/fake.so", root);
    REQUIRE(table);
    CHECK(table->path == copy);
    CHECK(init_of(table) == init_of(load(file, file, "")));
    workshop.run("echo >> " + copy);
    CHECK_FALSE(load(stripped, "/opt/py/fake.so", root));
    workshop.run("rm " + copy);
  }
}

TEST_CASE("the compressed .gnu_debugdata is the last source") {
  test::Workshop workshop;
  const std::string file = workshop.compile("fake_asyncio.c", shared);
  const std::string stripped = workshop.stripped(file);
  const std::string packed = workshop.directory() + "/debugdata";
  const auto plain = test::read_all(file);
  std::vector<std::uint8_t> compressed(lzma_stream_buffer_bound(plain.size()));
  std::size_t size = 0;
  REQUIRE(lzma_easy_buffer_encode(6, LZMA_CHECK_CRC32, nullptr, reinterpret_cast<const std::uint8_t*>(plain.data()),
                                  plain.size(), compressed.data(), &size, compressed.size()) == LZMA_OK);
  compressed.resize(size);
  SECTION("whole") {
    test::write_all(packed, std::as_bytes(std::span(compressed)));
    workshop.run("objcopy --add-section .gnu_debugdata=" + packed + " " + stripped);
    const auto table = load(stripped, stripped, "");
    REQUIRE(table);
    CHECK(table->source == SymbolSource::mini_debug_info);
    CHECK(init_of(table) == init_of(load(file, file, "")));
  }
  SECTION("damaged") {
    compressed[size / 2] ^= 0x55;
    test::write_all(packed, std::as_bytes(std::span(compressed)));
    workshop.run("objcopy --add-section .gnu_debugdata=" + packed + " " + stripped);
    CHECK_FALSE(load(stripped, stripped, ""));
  }
}

}  // namespace
}  // namespace asyncleak::elf
