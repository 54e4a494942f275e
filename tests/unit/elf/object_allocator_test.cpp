#include "elf/object_allocator.h"

#include "corpus.h"
#include "elf/symbols.h"
#include "fixture.h"

#include <algorithm>
#include <chrono>

namespace asyncleak::elf {
namespace {

std::uint64_t entry_of(const Placement& placement) { return placement.vaddr - placement.distance; }

void check_places(const Image& image, const ObjectAllocator& found) {
  for (const Placement* place : {&found.malloc, &found.calloc, &found.realloc, &found.free}) {
    INFO(place->instruction << " " << place->reason);
    CHECK(place->emulated);
    CHECK(verify_placement(image, *place));
  }
  CHECK(found.malloc.arguments.size() == 1);
  CHECK(found.calloc.arguments.size() == 2);
  CHECK(found.realloc.arguments.size() == 2);
  CHECK(found.free.arguments.size() == 1);
}

void check_names(const SymbolTable& symbols, const ObjectAllocator& found) {
  CHECK(entry_of(found.malloc) == symbols.find("_PyObject_Malloc"));
  CHECK(entry_of(found.calloc) == symbols.find("_PyObject_Calloc"));
  CHECK(entry_of(found.realloc) == symbols.find("_PyObject_Realloc"));
  CHECK(entry_of(found.free) == symbols.find("_PyObject_Free"));
}

Image compiled(test::Workshop& workshop, const std::string& flags) {
  auto image = Image::open(workshop.stripped(workshop.compile("fake_obmalloc.c", flags)));
  REQUIRE(image);
  return std::move(*image);
}

bool optimised_as_a_whole(const SymbolTable& symbols) {
  return std::any_of(symbols.functions.begin(), symbols.functions.end(),
                     [](const Symbol& symbol) { return symbol.name.find(".lto_priv.") != std::string::npos; });
}

std::string error_of(const Image& image) {
  const auto found = find_object_allocator(image);
  REQUIRE_FALSE(found);
  return found.error().message;
}

TEST_CASE("pymalloc's functions are found without symbols in every link, equal to .symtab") {
  test::Workshop workshop;
  for (const auto& mode : test::link_modes) {
    for (const char* tables : {"", " -DTWICE"}) {
      INFO(mode.name << tables);
      const std::string file = workshop.compile("fake_obmalloc.c", std::string(mode.flags) + tables);
      const auto named = Image::open(file);
      REQUIRE(named);
      const auto symbols = load_symbols(*named, file);
      REQUIRE(symbols);
      const auto image = Image::open(workshop.sectionless(file));
      REQUIRE(image);
      const auto found = find_object_allocator(*image);
      if (!found) FAIL(found.error().message);
      check_names(*symbols, *found);
      CHECK(found->inlined_copies == 0);
    }
  }
}

TEST_CASE("inlined copies of malloc and free are counted, however the comparison is written") {
  test::Workshop workshop;
  for (const auto& mode : test::link_modes) {
    for (const char* optimisation : {" -O1", " -O2", " -Os"}) {
      INFO(mode.name << optimisation);
      const auto found =
          find_object_allocator(compiled(workshop, std::string(mode.flags) + " -DCOPIES" + optimisation));
      REQUIRE(found);
      CHECK(found->inlined_copies == 3);
    }
  }
}

TEST_CASE("what is not pymalloc is refused with its reason") {
  test::Workshop workshop;
  CHECK(error_of(compiled(workshop, "-shared -fPIC -DMIMALLOC")) ==
        "small blocks are mimalloc's in this build (free-threaded Python), not pymalloc's: they are not probed");
  CHECK(error_of(compiled(workshop, "-shared -fPIC -DNO_PYMALLOC")) ==
        "built without pymalloc: small blocks are the C library's, which the mode malloc counts");
  CHECK_THAT(error_of(compiled(workshop, "-shared -fPIC -DSECOND")),
             Catch::StartsWith("two different tables of Python's allocators: at 0x"));
  const auto other = Image::open(workshop.compile("functions.S", "-shared"));
  REQUIRE(other);
  CHECK(error_of(*other) == "no table of Python's allocators in this file");
}

TEST_CASE("every interpreter present: pymalloc is found, as .symtab has it, and cheap to probe") {
  int with_runtime = 0;
  std::chrono::duration<double, std::milli> slowest{};
  for (const std::string& file : test::corpus()) {
    const auto image = Image::open(file);
    if (!image || !image->dynamic_symbol("_PyRuntime")) continue;
    INFO(file);
    ++with_runtime;
    const auto begin = std::chrono::steady_clock::now();
    const auto found = find_object_allocator(*image);
    slowest = std::max<std::chrono::duration<double, std::milli>>(slowest, std::chrono::steady_clock::now() - begin);
    if (!found && found.error().message.find("mimalloc") != std::string::npos) continue;
    if (!found) FAIL(found.error().message);
    check_places(*image, *found);
    const auto symbols = load_symbols(*image, file);
    if (symbols && symbols->find("_PyObject_Malloc")) check_names(*symbols, *found);
    // Debian optimises its executables as whole programs with a profile. A build that was not has no such names.
    if (file.find("/usr/bin/python3.") != std::string::npos) CHECK(found->inlined_copies > 100);
    if (symbols && !optimised_as_a_whole(*symbols)) CHECK(found->inlined_copies == 0);
  }
  WARN("interpreters checked: " << with_runtime << "; the slowest took " << slowest.count() << " ms");
  CHECK(with_runtime > 0);
}

}  // namespace
}  // namespace asyncleak::elf
