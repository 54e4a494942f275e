#include "elf/image.h"

#include "elf/symbols.h"
#include "fixture.h"

#include <sys/stat.h>

namespace asyncleak::elf {
namespace {

std::string error_of(const Result<Image>& image) { return image ? "" : image.error().message; }

std::vector<std::byte> bytes_of(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

TEST_CASE("what is not an x86-64 ELF file is refused with a reason") {
  CHECK(error_of(Image::from_bytes({})) == "not an ELF file");
  CHECK(error_of(Image::from_bytes(bytes_of("#!/bin/sh\n"))) == "not an ELF file");
  CHECK(error_of(Image::open("/nonexistent/file")) == "opening /nonexistent/file: No such file or directory");
  CHECK(error_of(Image::open("/")) == "/: not a regular file");
}

TEST_CASE("a FIFO in the place of a file is refused, not waited for") {
  const test::Workshop workshop;
  const std::string path = workshop.directory() + "/fifo";
  REQUIRE(mkfifo(path.c_str(), 0600) == 0);
  CHECK(error_of(Image::open(path)) == path + ": not a regular file");
}

TEST_CASE("malformed headers are refused") {
  test::Workshop workshop;
  const auto good = test::read_all(workshop.compile("fake_asyncio.c", "-shared -fPIC -DSTATIC_TYPE"));
  REQUIRE(Image::from_bytes(good));
  auto bad = good;
  auto* header = reinterpret_cast<Elf64_Ehdr*>(bad.data());
  SECTION("32-bit") {
    header->e_ident[EI_CLASS] = ELFCLASS32;
    CHECK(error_of(Image::from_bytes(bad)) == "not an x86-64 ELF file");
  }
  SECTION("another machine") {
    header->e_machine = EM_AARCH64;
    CHECK(error_of(Image::from_bytes(bad)) == "not an x86-64 ELF file");
  }
  SECTION("an object file") {
    header->e_type = ET_REL;
    CHECK(error_of(Image::from_bytes(bad)) == "neither an executable nor a shared library");
  }
  SECTION("program headers beyond the end") {
    header->e_phoff = bad.size() - 8;
    CHECK(error_of(Image::from_bytes(bad)) == "the ELF program headers are truncated");
  }
  SECTION("thousands of program headers") {
    header->e_phnum = 60000;
    CHECK(error_of(Image::from_bytes(bad)) == "too many ELF program headers");
  }
  SECTION("a segment that wraps around the address space") {
    auto* program = reinterpret_cast<Elf64_Phdr*>(bad.data() + header->e_phoff);
    program->p_type = PT_LOAD;
    program->p_vaddr = ~0ULL - 10;
    CHECK(error_of(Image::from_bytes(bad)) == "a segment beyond the address space");
  }
  SECTION("segments that all cover the whole file") {
    auto* programs = reinterpret_cast<Elf64_Phdr*>(bad.data() + header->e_phoff);
    for (int i = 0; i < header->e_phnum; ++i) {
      programs[i] = {PT_LOAD, PF_R, 0, 0, 0, bad.size(), bad.size(), 1};
    }
    CHECK(error_of(Image::from_bytes(bad)) == "the ELF segments overlap");
  }
}

TEST_CASE("a file cut anywhere never reads beyond its end") {
  test::Workshop workshop;
  const auto whole = test::read_all(workshop.compile("fake_asyncio.c", "-shared -fPIC -DSTATIC_TYPE"));
  for (std::size_t length = 0; length < whole.size(); length += 61) {
    const auto image = Image::from_bytes(std::span(whole).first(length));
    if (!image) continue;
    for (const std::uint64_t text : image->find_string("_asyncio.Task")) {
      for (const std::uint64_t slot : image->slots_holding(text)) CHECK(image->pointer(slot) == text);
    }
    CHECK_FALSE(image->dynamic_symbol("not there"));
    if (const auto function = image->function_at(0x1000)) CHECK(function->contains(0x1000));
  }
}

TEST_CASE("slots, symbols and function bounds are found in every kind of link") {
  test::Workshop workshop;
  for (const auto& mode : test::link_modes) {
    INFO(mode.name);
    const std::string file = workshop.compile("fake_asyncio.c", std::string(mode.flags) + " -DSTATIC_TYPE");
    const auto named = Image::open(file);
    REQUIRE(named);
    const auto symbols = load_symbols(*named, file);
    REQUIRE(symbols);
    const auto image = Image::open(workshop.sectionless(file));
    REQUIRE(image);
    CHECK(image->position_independent() == (std::string_view(mode.flags).find("-no-pie") == std::string_view::npos));

    // "_asyncio.Task" is there, and "my_asyncio.Task" ends in it; a linker may merge the two.
    const auto texts = image->find_string("_asyncio.Task");
    REQUIRE_FALSE(texts.empty());
    std::size_t slots = 0;
    for (const std::uint64_t text : texts) {
      CHECK(image->c_string(text) == "_asyncio.Task");
      slots += image->slots_holding(text).size();
    }
    CHECK(slots == 2);  // names[0] and Task.name
    for (const Symbol& symbol : symbols->functions) {
      INFO(symbol.name);
      const auto function = image->function_at(symbol.vaddr + symbol.size - 1);
      REQUIRE(function);
      CHECK(function->begin == symbol.vaddr);
      CHECK(function->end == symbol.vaddr + symbol.size);
      CHECK(image->is_executable(symbol.vaddr));
    }
    CHECK_FALSE(image->function_at(0));
    CHECK_FALSE(image->function_at(~0ULL));
    if (std::string_view(mode.flags).find("-shared") != std::string_view::npos) {
      CHECK(image->dynamic_symbol("names"));
      CHECK_FALSE(image->dynamic_symbol("name"));
    }
  }
}

TEST_CASE("the fixture for DT_RELR really has it") {
  test::Workshop workshop;
  const std::string file =
      workshop.compile("fake_asyncio.c", "-shared -fPIC -Wl,-z,pack-relative-relocs -DSTATIC_TYPE");
  workshop.run("readelf -d " + file + " | grep -q RELRSZ");
}

TEST_CASE("reads stay inside the segments' file bytes") {
  test::Workshop workshop;
  const auto image = Image::open(workshop.compile("fake_asyncio.c", "-no-pie -fno-pie -Wl,-e,0 -DSTATIC_TYPE"));
  REQUIRE(image);
  const Segment last = image->segments().back();
  const std::uint64_t end = last.vaddr + last.file_size;
  CHECK(image->bytes(end - 4, 4).size() == 4);
  CHECK(image->bytes(end - 4, 5).empty());
  CHECK(image->u32(end - 4));
  CHECK_FALSE(image->u64(end - 4));
  CHECK_FALSE(image->pointer(end));
  CHECK_FALSE(image->file_offset(end));
  CHECK(image->file_offset(end - 1) == last.file_offset + last.file_size - 1);
  CHECK_FALSE(image->bytes(0, 1).data());
}

TEST_CASE("the build-id is read from the notes") {
  test::Workshop workshop;
  const auto with = Image::open(workshop.compile("fake_asyncio.c", "-shared -fPIC -Wl,--build-id=0x00c0ffee12"));
  REQUIRE(with);
  CHECK(with->build_id() == "00c0ffee12");
  const auto without = Image::open(workshop.compile("fake_asyncio.c", "-shared -fPIC -Wl,--build-id=none"));
  REQUIRE(without);
  CHECK(without->build_id().empty());
}

}  // namespace
}  // namespace asyncleak::elf
