#include "elf/step_functions.h"

#include "corpus.h"
#include "elf/symbols.h"
#include "elf/task_functions.h"
#include "fixture.h"

namespace asyncleak::elf {
namespace {

struct Shape {
  const char* defines;
  const char* wakeup;
  std::uint32_t step_offset, wakeup_offset;
};

constexpr Shape shapes[] = {
    {"-DSTATIC_TYPE -DWAKEUP_TYPE", "TaskWakeupMethWrapper_call", 16, 16},               // 3.8, 3.9
    {"-DSTATIC_TYPE -DWAKEUP_TYPE -DTRACE_REFS", "TaskWakeupMethWrapper_call", 32, 32},  // their --with-trace-refs
    {"-DSTATIC_TYPE -DWAKEUP_METHOD", "task_wakeup", 16, 0},                             // 3.10, 3.11
    {"-DSPEC -DWAKEUP_METHOD", "task_wakeup", 16, 0},                                    // 3.12 to 3.15
    {"-DSPEC -DWAKEUP_METHOD -DTRACE_REFS", "task_wakeup", 32, 0},                       // free-threaded
};

std::string error_of(test::Workshop& workshop, const std::string& defines) {
  const auto image = Image::open(workshop.compile("fake_steps.c", "-shared -fPIC " + defines));
  REQUIRE(image);
  const auto found = find_step_functions(*image);
  REQUIRE_FALSE(found);
  return found.error().message;
}

TEST_CASE("a task's steps are found without symbols in every shape and link, equal to .symtab") {
  test::Workshop workshop;
  for (const Shape& shape : shapes) {
    for (const auto& mode : test::link_modes) {
      INFO(mode.name << " " << shape.defines);
      const std::string file = workshop.compile("fake_steps.c", std::string(mode.flags) + " " + shape.defines);
      const auto named = Image::open(file);
      REQUIRE(named);
      const auto symbols = load_symbols(*named, file);
      REQUIRE(symbols);
      const auto image = Image::open(workshop.sectionless(file));
      REQUIRE(image);
      const auto found = find_step_functions(*image);
      if (!found) FAIL(found.error().message);
      CHECK(found->step.vaddr == symbols->find("TaskStepMethWrapper_call"));
      CHECK(found->step.task_offset == shape.step_offset);
      CHECK(found->wakeup.vaddr == symbols->find(shape.wakeup));
      CHECK(found->wakeup.task_offset == shape.wakeup_offset);
      CHECK(found->step.place.arguments.size() == 1);
      CHECK(verify_placement(*image, found->step.place));
      CHECK(verify_placement(*image, found->wakeup.place));
    }
  }
}

TEST_CASE("steps that are not as they should be are refused") {
  test::Workshop workshop;
  CHECK(error_of(workshop, "-DSPEC") == "no method task_wakeup and no TaskWakeupMethWrapper type in this file");
  CHECK(error_of(workshop, "-DSPEC -DWAKEUP_METHOD -DSECOND") == "two different methods task_wakeup");
  CHECK(error_of(workshop, "-DSPEC -DWAKEUP_METHOD -DNO_CALL") ==
        "the text \"_asyncio.TaskStepMethWrapper\" is there but no type object or PyType_Spec uses it");
  CHECK_THAT(error_of(workshop, "-DSPEC -DWAKEUP_METHOD -DSTRANGE_SIZE"),
             Catch::EndsWith(" has objects of 40 bytes: where the task is in them is not known"));
}

TEST_CASE("every interpreter present: a task's steps are found, as .symtab has them, and cheap to probe") {
  int with_tasks = 0;
  for (const std::string& file : test::corpus()) {
    INFO(file);
    const auto image = Image::open(file);
    if (!image || !has_task_type(*image)) continue;
    ++with_tasks;
    const auto found = find_step_functions(*image);
    if (!found) FAIL(found.error().message);
    // Both wrappers have the same head; the method's self is the task.
    CHECK((found->wakeup.task_offset == found->step.task_offset || found->wakeup.task_offset == 0));
    for (const StepFunction* function : {&found->step, &found->wakeup}) {
      INFO(function->place.instruction << " " << function->place.reason);
      CHECK(function->place.emulated);
      CHECK(verify_placement(*image, function->place));
    }
    const auto symbols = load_symbols(*image, file);
    if (!symbols) continue;
    CHECK(found->step.vaddr == symbols->find("TaskStepMethWrapper_call"));
    const char* wakeup = found->wakeup.task_offset == 0 ? "task_wakeup" : "TaskWakeupMethWrapper_call";
    CHECK(found->wakeup.vaddr == symbols->find(wakeup));
  }
  WARN("interpreters checked: " << with_tasks);
  CHECK(with_tasks > 0);
}

}  // namespace
}  // namespace asyncleak::elf
