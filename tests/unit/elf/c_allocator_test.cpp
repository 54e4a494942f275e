#include "elf/c_allocator.h"

#include "../allocators_present.h"
#include "elf/imports.h"
#include "elf/instruction.h"
#include "elf/reads.h"
#include "elf/symbols.h"
#include "fixture.h"

#include <algorithm>
#include <map>

namespace asyncleak::elf {
namespace {

namespace fs = std::filesystem;

struct Case {
  const char* function;
  std::uint32_t distance;
  const char* instruction;  // how it starts
  Register pointer;
};

const std::vector<Case> null_checks = {
    {"home_at_once", 5, "push rbp", Register::rdi},
    {"home_from_afar", 15, "jnz", Register::rdi},
    {"home_through_epilogue", 15, "call", Register::rbx},
    {"works_on_null", 3, "jz", Register::rdi},
    {"calls_on_null", 3, "jz", Register::rdi},
    {"asks_something_else", 3, "jz", Register::rdi},
    {"asks_half", 2, "jz", Register::rdi},
    {"answer_is_another", 7, "jz", Register::rdi},
    {"stays_on_null", 3, "jnz", Register::rdi},
    {"asks_late", 4, "jnz", Register::rdi},
    {"comes_again", 3, "jz", Register::rdi},
    {"loses_it", 3, "jz", Register::rdi},
    {"never_asks", 0, "push rbp", Register::rdi},
};

TEST_CASE("a function that only returns when the pointer is NULL is probed behind that check") {
  test::Workshop workshop;
  const std::string file = workshop.compile("null_checks.S", "-shared -Wl,-Bsymbolic");
  const auto image = Image::open(file);
  REQUIRE(image);
  for (const Case& expected : null_checks) {
    INFO(expected.function);
    const auto entry = exported_function(*image, expected.function);
    REQUIRE(entry);
    const auto place = place_behind_null_check(*image, *entry, Register::rdi);
    if (!place) FAIL(place.error().message);
    INFO(place->instruction << " at +" << place->distance);
    CHECK(place->emulated);
    CHECK(place->distance == expected.distance);
    CHECK_THAT(place->instruction, Catch::StartsWith(expected.instruction));
    CHECK(place->arguments == std::vector<Register>{expected.pointer});
    CHECK(verify_placement(*image, *place));
  }
  CHECK_FALSE(place_behind_null_check(*image, *exported_function(*image, "never_asks") + 1, Register::rdi));
}

Image open_allocator(test::Workshop& workshop, std::string_view flags) {
  auto image = Image::open(workshop.compile("allocator.S", "-shared " + std::string(flags)));
  REQUIRE(image);
  return std::move(*image);
}

TEST_CASE("the family's exported functions, each once and with its arguments") {
  test::Workshop workshop;
  const Image image = open_allocator(workshop, "-Wl,-Bsymbolic");
  const auto found = find_c_allocator(image);
  if (!found) FAIL(found.error().message);
  std::map<std::string, std::pair<AllocatorCall, std::vector<Register>>> functions;
  for (const auto& each : found->functions) functions[each.name] = {each.call, each.entry.arguments};
  using Registers = std::vector<Register>;
  const decltype(functions) expected = {
      {"malloc", {AllocatorCall::malloc, Registers{Register::rdi}}},
      {"calloc", {AllocatorCall::calloc, Registers{Register::rax, Register::rsi}}},
      {"realloc", {AllocatorCall::realloc, Registers{Register::rdi, Register::rsi}}},
      // memalign is the same function; valloc is not one at all.
      {"aligned_alloc", {AllocatorCall::aligned_alloc, Registers{Register::rdi, Register::rsi}}},
      {"posix_memalign", {AllocatorCall::posix_memalign, Registers{Register::rdi, Register::rsi, Register::rdx}}},
      {"free", {AllocatorCall::free, Registers{Register::rdi}}},
  };
  CHECK(functions == expected);
  CHECK(found->functions.size() == expected.size());
  for (const auto& each : found->functions) CHECK(each.entry.emulated == (each.name != "posix_memalign"));
  CHECK(found->functions.back().entry.instruction == "push rbx");
  CHECK(found->malloc_returns.has_value() == found->no_returns_because.empty());
}

TEST_CASE("a name that only one allocator exports tells which it is") {
  test::Workshop workshop;
  const auto kind_with = [&](const std::string& marker) {
    return find_c_allocator(open_allocator(workshop, marker.empty() ? "" : "-DMARKER=" + marker))->kind;
  };
  CHECK(kind_with("") == "C library");
  CHECK(kind_with("gnu_get_libc_version") == "glibc");
  CHECK(kind_with("mallctl") == "jemalloc");
  CHECK(kind_with("je_mallctl") == "jemalloc");
  CHECK(kind_with("tc_malloc") == "tcmalloc");
  CHECK(kind_with("MallocExtension_Internal_GetNumericProperty") == "tcmalloc");
  CHECK(kind_with("mi_malloc") == "mimalloc");
}

TEST_CASE("an image without malloc and free of its own is no allocator") {
  test::Workshop workshop;
  for (const char* flags : {"-DNO_FREE", "-DKIND_OF_MALLOC=gnu_indirect_function", "-DKIND_OF_MALLOC=object"}) {
    INFO(flags);
    const auto found = find_c_allocator(open_allocator(workshop, flags));
    REQUIRE_FALSE(found);
    CHECK(found.error().message == "it exports no malloc and free of its own");
  }
  const auto unbounded = find_c_allocator(open_allocator(workshop, "-Wl,--no-eh-frame-hdr"));
  REQUIRE_FALSE(unbounded);
  CHECK_THAT(unbounded.error().message, Catch::StartsWith("malloc: no function at"));
}

TEST_CASE("functions given and taken by name, however the file was linked and stripped") {
  test::Workshop workshop;
  for (const char* flags : {"", "-Wl,--hash-style=sysv", "-Wl,-z,now", "-Wl,-z,pack-relative-relocs"}) {
    INFO(flags);
    const std::string file = workshop.compile("allocator.S", std::string("-shared ") + flags);
    for (const std::string& version : {file, workshop.stripped(file), workshop.sectionless(file)}) {
      INFO(version);
      const auto image = Image::open(version);
      REQUIRE(image);
      CHECK(exported_function(*image, "malloc"));
      CHECK(exported_function(*image, "cfree") == exported_function(*image, "free"));
      CHECK_FALSE(exported_function(*image, "imported"));
      CHECK_FALSE(exported_function(*image, "valloc"));
      CHECK_FALSE(exported_function(*image, "mallo"));
      CHECK_FALSE(exported_function(*image, "mallocs"));
      // Its own malloc may be replaced by another file's: it is called through a word, too.
      CHECK(import_slots(*image, "malloc").size() == 1);
      CHECK(import_slots(*image, "imported").size() == 1);
      CHECK(import_slots(*image, "free").empty());
      for (const std::uint64_t slot : import_slots(*image, "malloc")) CHECK(image->file_offset(slot));
    }
  }
}

// A return probe reads the return address where the stack pointer leads: it can be set at the same place only while
// that is what it was at the entry.
bool stack_pointer_untouched(const Image& image, const Placement& place) {
  const Decoder decoder;
  for (std::uint64_t at = place.vaddr - place.distance; at < place.vaddr;) {
    const auto instruction = decoder.decode(up_to(image, at, 16));
    if (!instruction || (instruction->written & mask_of(Register::rsp)) != 0) return false;
    at += instruction->length;
  }
  return true;
}

void check_real(const std::string& path, const std::string& kind) {
  INFO(path);
  const auto image = Image::open(path);
  if (!image) FAIL(image.error().message);
  const auto found = find_c_allocator(*image);
  if (!found) FAIL(found.error().message);
  CHECK(found->kind == kind);
  for (const char* name : {"malloc", "calloc", "realloc", "aligned_alloc", "free"}) {
    INFO(name);
    const auto function = std::ranges::find(found->functions, name, &AllocatorFunction::name);
    REQUIRE(function != found->functions.end());
    CHECK(function->entry.emulated);
    INFO(function->entry.instruction << " " << function->entry.reason);
    CHECK(verify_placement(*image, function->entry));
    if (function->call != AllocatorCall::free) CHECK(stack_pointer_untouched(*image, function->entry));
  }
  const Placement& free = found->functions.back().entry;
  const auto first = Decoder().decode(up_to(*image, free.vaddr - free.distance, 16));
  // glibc's from 2.32 on: test rdi, rdi; je to a ret.
  if (first && first->tested) CHECK(free.distance > first->length + 1U);
}

TEST_CASE("every C library present: the functions every interpreter uses have a cheap place") {
  int checked = 0;
  std::vector<fs::path> roots = {"/"};
  std::error_code error;
  if (const char* fleet = std::getenv("ASYNCLEAK_FLEET")) {
    for (const auto& root : fs::directory_iterator(fleet, error)) roots.push_back(root.path());
  }
  for (const fs::path& root : roots) {
    const fs::path library = root / "usr/lib/x86_64-linux-gnu/libc.so.6";
    const fs::path unmerged = root / "lib/x86_64-linux-gnu/libc.so.6";
    const fs::path& present = fs::exists(library) ? library : unmerged;
    if (!fs::exists(present)) continue;
    check_real(present.string(), "glibc");
    ++checked;
  }
  if (checked == 0) WARN("no glibc here: nothing was checked");
}

TEST_CASE("every replacement present: the functions every interpreter uses have a cheap place") {
  const auto present = asyncleak::test::allocators_present();
  if (present.empty()) WARN("no jemalloc, tcmalloc or mimalloc here (ASYNCLEAK_ALLOCATORS): nothing was checked");
  for (const asyncleak::test::Replacement& each : present) check_real(each.path, each.kind);
}

}  // namespace
}  // namespace asyncleak::elf
