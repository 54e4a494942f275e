#include "elf/task_functions.h"

#include "elf/symbols.h"
#include "fixture.h"

namespace asyncleak::elf {
namespace {

TEST_CASE("the task functions are found without symbols in every shape and link, equal to .symtab") {
  test::Workshop workshop;
  // 3.8 to 3.11, their debug builds, 3.12 to 3.14, 3.15
  for (const char* shape : {"-DSTATIC_TYPE", "-DSTATIC_TYPE -DTRACE_REFS", "-DSPEC", "-DSPEC_315"}) {
    for (const auto& mode : test::link_modes) {
      INFO(mode.name << " " << shape);
      const std::string file = workshop.compile("fake_asyncio.c", std::string(mode.flags) + " " + shape);
      const auto named = Image::open(file);
      REQUIRE(named);
      const auto symbols = load_symbols(*named, file);
      REQUIRE(symbols);
      for (const std::string& path : {file, workshop.stripped(file), workshop.sectionless(file)}) {
        INFO(path);
        const auto image = Image::open(path);
        REQUIRE(image);
        CHECK(has_task_type(*image));
        const auto slots = resolve_type_slots(*image);
        if (!slots) FAIL(slots.error().message);
        CHECK(slots->task_init == symbols->find("_asyncio_Task___init__"));
        CHECK(slots->task_dealloc == symbols->find("TaskObj_dealloc"));
        CHECK(slots->task_basicsize == 176);
        CHECK(slots->rung == Rung::type_slots);
        const auto found = find_task_functions(*image, path);
        REQUIRE(found);
        CHECK(found->task_init == slots->task_init);
        CHECK(found->task_dealloc == slots->task_dealloc);
        CHECK(found->task_basicsize == 176);
        CHECK(found->rung == (path == file ? Rung::symtab : Rung::type_slots));
      }
    }
  }
}

TEST_CASE("two different task types are not guessed between") {
  test::Workshop workshop;
  const auto image = Image::open(workshop.compile("fake_asyncio.c", "-shared -fPIC -DSPEC -DSECOND"));
  REQUIRE(image);
  const auto found = resolve_type_slots(*image);
  REQUIRE_FALSE(found);
  CHECK_THAT(found.error().message, Catch::StartsWith("two different _asyncio.Task types: "));
}

TEST_CASE("a file without the type says so") {
  test::Workshop workshop;
  const auto image = Image::open(workshop.compile("functions.S", "-shared"));
  REQUIRE(image);
  CHECK_FALSE(has_task_type(*image));
  const auto found = find_task_functions(*image, "");
  REQUIRE_FALSE(found);
  CHECK(found.error().message == "no _asyncio.Task type in this file");
}

TEST_CASE("the name alone is not a type") {
  test::Workshop workshop;
  const std::string file = workshop.compile("fake_asyncio.c", "-shared -fPIC -DSTATIC_TYPE -DNO_INIT");
  const auto image = Image::open(workshop.stripped(file));
  REQUIRE(image);
  CHECK(has_task_type(*image));
  const auto found = find_task_functions(*image, "");
  REQUIRE_FALSE(found);
  CHECK(found.error().message == "the text \"_asyncio.Task\" is there but no type object or PyType_Spec uses it");
}

TEST_CASE("where symbols and type disagree, the type is believed: it is what the interpreter calls") {
  test::Workshop workshop;
  const std::string file = workshop.compile("fake_asyncio.c", "-shared -fPIC -DSTATIC_TYPE -DINIT=other_init");
  const auto image = Image::open(file);
  REQUIRE(image);
  const auto found = find_task_functions(*image, file);
  REQUIRE(found);
  CHECK(found->rung == Rung::type_slots);
  CHECK(found->task_init == load_symbols(*image, file)->find("other_init"));
  CHECK_THAT(found->detail, Catch::EndsWith("; .symtab of " + file + " disagrees"));
}

TEST_CASE("every rung has a name") {
  CHECK(name_of(Rung::symtab) == ".symtab");
  CHECK(name_of(Rung::debug_file) == "debug file");
  CHECK(name_of(Rung::mini_debug_info) == ".gnu_debugdata");
  CHECK(name_of(Rung::type_slots) == "type slots");
}

}  // namespace
}  // namespace asyncleak::elf
