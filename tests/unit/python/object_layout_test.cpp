// Fields of living objects are compared in tests/unit/census/object_layout_live_test.cpp.
#include "python/object_layout.h"

#include <catch2/catch.hpp>

#include "interpreters_present.h"
#include "python/interpreter.h"
#include "python/process.h"
#include "python/table.h"

namespace asyncleak::python {
namespace {

std::string message_of(const Result<ObjectLayout>& result) { return result ? "" : result.error().message; }

TEST_CASE("every interpreter whose tasks are counted has an object row") {
  for (const LayoutRow& row : layout_rows()) {
    CAPTURE(row_name(row));
    const ObjectLayoutRow* objects = find_object_row(row.minor, row.free_threaded);
    REQUIRE(objects != nullptr);
    CHECK(((objects->layout.flags & obj_gc_head) == 0) == row.free_threaded);
    CHECK(objects->layout.task_basicsize > objects->layout.future_basicsize);
  }
  CHECK(object_layout_rows().size() == layout_rows().size());
  CHECK(find_object_row(7, false) == nullptr);
  CHECK(find_object_row(12, true) == nullptr);
}

TEST_CASE("every interpreter present: its row fits its _asyncio, and all getters are understood") {
  for (const Present& each : interpreters_present()) {
    CAPTURE(each.path());
    const PythonChild child(each);
    REQUIRE_FALSE(child.version().empty());
    const auto images = find_images(child.pid());
    REQUIRE(images);
    REQUIRE(images->core);
    const auto core = elf::Image::open(images->core->open_path);
    const auto module = elf::Image::open(images->asyncio.value_or(*images->core).open_path);
    REQUIRE(core);
    REQUIRE(module);
    const auto interpreter = identify(*core, images->core->path);
    REQUIRE(interpreter);
    INFO(interpreter->row);
    REQUIRE(interpreter->objects);
    const auto fields = elf::find_task_fields(*module);
    CHECK(fields.task_basicsize == interpreter->objects->task_basicsize);
    CHECK(fields.future_basicsize == interpreter->objects->future_basicsize);
    CHECK((fields.loop && fields.state && fields.fut_waiter && fields.coro && fields.name));
    CHECK(fields.described.has_value() == (interpreter->version.minor >= 14));
    const auto fitted = fit_task_fields(*interpreter->objects, fields);
    CHECK(message_of(fitted).empty());
    // The row itself, not only what the debug offsets made of it.
    const auto* row = find_object_row(interpreter->version.minor, interpreter->version.free_threaded);
    REQUIRE(row != nullptr);
    CHECK(interpreter->objects->thread_running_loop == row->layout.thread_running_loop);
    CHECK(interpreter->row.find("row has") == std::string::npos);
  }
}

TEST_CASE("a contradiction refuses; what could not be decoded is none") {
  const ObjectLayout& row = find_object_row(14, false)->layout;
  CHECK(fit_task_fields(row, {}));
  const std::string refused = "this interpreter's layout is not known; tasks are counted, census off (";
  elf::TaskFields fields;
  SECTION("size of a task") {
    fields.task_basicsize = 176;
    CHECK(message_of(fit_task_fields(row, fields)) ==
          refused + "tp_basicsize of _asyncio.Task is 176, the row says 168)");
  }
  SECTION("size of a future") {
    fields.future_basicsize = 104;
    CHECK_FALSE(fit_task_fields(row, fields));
  }
  SECTION("a getter") {
    fields.coro = 136;
    CHECK(message_of(fit_task_fields(row, fields)) ==
          refused + "the coroutine that Task._coro reads is 136, the row says 128)");
  }
  SECTION(".AsyncioDebug") {
    fields.described = elf::AsyncioDebug{168, 136, 104, 128, 864, 872};
    CHECK(message_of(fit_task_fields(row, fields)) ==
          refused + ".AsyncioDebug: a task's awaiters is 104, the row says 96)");
  }
}

TEST_CASE(".AsyncioDebug is preferred where it speaks of the thread state") {
  elf::TaskFields fields;
  fields.described = elf::AsyncioDebug{168, 136, 96, 128, 872, 880};
  const auto fitted = fit_task_fields(find_object_row(14, false)->layout, fields);
  REQUIRE(fitted);
  CHECK(fitted->thread_running_loop == 872);
  CHECK(fitted->thread_running_task == 880);
}

std::vector<std::uint64_t> words_of(const ObjectLayoutRow& row) {
  std::vector<std::uint64_t> words(object_debug_word_count(row.minor));
  for (const ObjectDebugField& field : object_debug_fields(row.minor)) words[field.word] = row.layout.*field.member;
  return words;
}

TEST_CASE("debug offsets win over the object row") {
  const ObjectLayoutRow& row = *find_object_row(15, false);
  auto words = words_of(row);
  const auto same = apply_object_debug_offsets(row, words);
  REQUIRE(same);
  CHECK(same->differences.empty());
  CHECK(same->equal == static_cast<int>(object_debug_fields(15).size()));
  for (const ObjectDebugField& field : object_debug_fields(15)) {
    if (field.name == "list_items") words[field.word] += 8;
  }
  const auto moved = apply_object_debug_offsets(row, words);
  REQUIRE(moved);
  CHECK(moved->differences == std::vector<std::string>{"list_items 32, row has 24"});
  CHECK(moved->layout.list_items == 32);
  CHECK_FALSE(apply_object_debug_offsets(row, std::span(words).first(10)));
  words[object_debug_fields(15).front().word] = 1U << 20;
  CHECK_FALSE(apply_object_debug_offsets(row, words));
  CHECK(object_debug_fields(12).empty());
}

TEST_CASE("what is not known says what still works") {
  const Interpreter nothing{};
  REQUIRE_FALSE(nothing.objects);
  CHECK(nothing.objects.error().message == "this interpreter's layout is not known; tasks are counted, census off");
}

}  // namespace
}  // namespace asyncleak::python
