// The resolver and the placement over every interpreter this machine has.
#include "corpus.h"
#include "elf/placement.h"
#include "elf/symbols.h"
#include "elf/task_functions.h"
#include "elf/unawaited_warnings.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>

namespace asyncleak::elf {
namespace {

namespace fs = std::filesystem;

void check_placement(const Image& image, std::uint64_t entry, std::vector<Register> wanted) {
  const auto place = place_probe(image, entry, wanted);
  if (!place) FAIL(place.error().message);
  INFO(place->instruction << " " << place->reason);
  CHECK(place->emulated);
  CHECK(place->arguments.size() == wanted.size());
  CHECK(verify_placement(image, *place));
}

TEST_CASE("every interpreter present: the type slots answer, as .symtab does, and a cheap place exists") {
  int with_tasks = 0;
  for (const std::string& file : test::corpus()) {
    INFO(file);
    const auto image = Image::open(file);
    if (!image && image.error().message.ends_with("not an ELF file")) continue;  // a linker script or a wrapper
    if (!image) FAIL(image.error().message);
    if (!has_task_type(*image)) {
      CHECK(fs::path(file).filename().string().find("_asyncio") == std::string::npos);
      continue;
    }
    ++with_tasks;
    const auto slots = resolve_type_slots(*image);
    if (!slots) FAIL(slots.error().message);
    if (const auto symbols = load_symbols(*image, file)) {
      CHECK(slots->task_init == symbols->find("_asyncio_Task___init__"));
      CHECK(slots->task_dealloc == symbols->find("TaskObj_dealloc"));
    }
    const auto found = find_task_functions(*image, file);
    REQUIRE(found);
    CHECK(found->task_init == slots->task_init);
    CHECK(found->task_dealloc == slots->task_dealloc);
    // tp_init(self, args, kwargs), tp_dealloc(self)
    check_placement(*image, slots->task_init, {Register::rdi, Register::rsi, Register::rdx});
    check_placement(*image, slots->task_dealloc, {Register::rdi});
  }
  WARN("interpreters checked: " << with_tasks);
  CHECK(with_tasks > 0);
}

// From a str to its characters: 3.12 on, up to 3.11 (and free-threaded 3.14 on), free-threaded 3.13.
std::vector<Placement> warnings_of(const Image& image) {
  for (const std::uint64_t ascii_data : {40, 48, 56}) {
    if (auto found = find_unawaited_warnings(image, ascii_data)) return *found;
  }
  return {};
}

TEST_CASE("every interpreter present: the code that warns of a never-awaited coroutine is found, as .symtab has it") {
  int with_runtime = 0;
  for (const std::string& file : test::corpus()) {
    const auto image = Image::open(file);
    if (!image || !image->dynamic_symbol("_PyRuntime")) continue;
    INFO(file);
    ++with_runtime;
    const auto places = warnings_of(*image);
    REQUIRE(!places.empty());
    CHECK(places.size() <= 6);
    for (const auto& place : places) {
      INFO(place.instruction);
      CHECK(verify_placement(*image, place));
    }
    const auto symbols = load_symbols(*image, file);
    const auto named = symbols ? symbols->find("_PyErr_WarnUnawaitedCoroutine") : std::nullopt;
    if (!named) continue;
    const auto function = image->function_at(*named);
    REQUIRE(function);
    CHECK(std::count_if(places.begin(), places.end(),
                        [&](const auto& each) { return function->contains(each.vaddr); }) == 1);
  }
  WARN("interpreters checked: " << with_runtime);
  CHECK(with_runtime > 0);
}

}  // namespace
}  // namespace asyncleak::elf
