#include "elf/task_fields.h"

#include "fixture.h"

namespace asyncleak::elf {
namespace {

TEST_CASE("the getters' first loads are the fields, however the code gets there") {
  test::Workshop workshop;
  for (const char* shape : {"-DSTATIC_TYPE", "-DSPEC", "-DSPEC -DINHERIT"}) {
    for (const auto& mode : test::link_modes) {
      INFO(mode.name << " " << shape);
      const std::string file = workshop.compile("fake_task.S", std::string(mode.flags) + " " + shape);
      for (const std::string& path : {workshop.stripped(file), workshop.sectionless(file)}) {
        const auto image = Image::open(path);
        REQUIRE(image);
        const TaskFields fields = find_task_fields(*image);
        CHECK(fields.task_basicsize == 168);
        CHECK(fields.future_basicsize == 112);
        CHECK(fields.loop == 16);
        CHECK(fields.state == 104);
        CHECK(fields.fut_waiter == 120);
        CHECK(fields.coro == 128);
        CHECK(fields.name == 136);
      }
    }
  }
}

TEST_CASE(".AsyncioDebug is read where it has the known size and no other") {
  test::Workshop workshop;
  const auto described = [&](const std::string& flags) {
    const auto image = Image::open(workshop.stripped(workshop.compile("fake_task.S", "-shared -DSPEC " + flags)));
    REQUIRE(image);
    return find_task_fields(*image).described;
  };
  const auto known = described("-DDEBUG_WORDS=13");
  REQUIRE(known);
  CHECK(known->task_size == 168);
  CHECK(known->task_name == 136);
  CHECK(known->task_awaited_by == 96);
  CHECK(known->task_coro == 128);
  CHECK(known->thread_running_loop == 864);
  CHECK(known->thread_running_task == 872);
  CHECK_FALSE(described(""));
  CHECK_FALSE(described("-DDEBUG_WORDS=12"));
  CHECK_FALSE(described("-DDEBUG_WORDS=14"));
}

TEST_CASE("code that is not understood gives nothing, and a file without the types neither") {
  test::Workshop workshop;
  const auto opaque = Image::open(workshop.compile("fake_task.S", "-shared -DSPEC -DOPAQUE"));
  REQUIRE(opaque);
  const TaskFields fields = find_task_fields(*opaque);
  CHECK(fields.task_basicsize == 168);
  CHECK(fields.loop == 16);
  CHECK_FALSE(fields.state);
  CHECK_FALSE(fields.fut_waiter);
  CHECK_FALSE(fields.coro);
  CHECK_FALSE(fields.name);
  const auto other = Image::open(workshop.compile("functions.S", "-shared"));
  REQUIRE(other);
  CHECK(find_task_fields(*other).task_basicsize == 0);
  CHECK_FALSE(find_task_fields(*other).loop);
}

}  // namespace
}  // namespace asyncleak::elf
