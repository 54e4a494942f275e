// --memory-lines: which line of Python allocates for a site.
#include "memory_machine.h"

namespace asyncleak::fake {
namespace {

constexpr Address block = 0x7f1000000010;

struct Scene {
  explicit Scene(const python::LayoutRow& row) : counted(row), thread(counted), task(counted.new_task(U"work")) {
    Counted::memory().flags = AL_MEMORY_LINES;
  }
  // The innermost function is CODE, at OFFSET into its bytecode.
  void at(Address code, std::uint32_t offset) {
    Python& python = counted.process.python;
    frame = python.frame(code, offset, counted.process.serve_frame);
    python.run(counted.process.thread, frame);
  }
  void malloc(std::uint64_t size) {
    thread.step(task, [&] { thread.malloc(size, next += 0x1000); });
  }
  static const al_line& line(std::uint32_t index) { return *kernel().map("lines").find<al_line>(index); }

  Counted counted;
  Caller thread;
  Address task, frame = 0, next = block;
};

bool has_copies(const python::LayoutRow& row) { return (row.layout.flags & AL_CODE_COPIES) != 0; }

TEST_CASE("a line is what one place in the code allocates for one site") {
  for_each_line([](const python::LayoutRow& row) {
    Scene scene(row);
    const Address code = scene.counted.function(U"parse");
    scene.at(code, 10);
    scene.malloc(1);
    scene.malloc(10);
    scene.at(code, 12);
    scene.malloc(100);
    scene.thread.free(block + 0x1000);
    const bool copies = has_copies(row);  // the bytecode has no one address: a line is a function
    REQUIRE(al_line_ids_used == (copies ? 1 : 2));
    const al_line& first = Scene::line(1);
    CHECK(first.key.code == code);
    CHECK(first.key.print != 0);
    CHECK(first.key.offset == (copies ? AL_NO_OFFSET : 10));
    CHECK(first.key.site == Counted::site(U"work"));
    CHECK(first.process == scene.counted.id());
    CHECK(first.ready == 1);
    CHECK(first.allocated_bytes == (copies ? 111 : 11));
    CHECK(first.allocated_blocks == (copies ? 3 : 2));
    CHECK(first.freed_bytes == 1);
    CHECK(first.freed_blocks == 1);
    if (!copies) {
      CHECK(Scene::line(2).key.offset == 12);
      CHECK(Scene::line(2).allocated_bytes == 100);
    }
    const al_code* known = Machine::code(scene.counted.process, code, first.key.print);
    REQUIRE(known != nullptr);
    CHECK(text_of(known->name) == U"parse");
    Counted::check_sound();
  });
}

TEST_CASE("the same line for another site is another line") {
  for_each_line([](const python::LayoutRow& row) {
    Scene scene(row);
    scene.at(scene.counted.function(U"parse"), 10);
    const Address frame = scene.frame;
    scene.malloc(1);
    scene.task = scene.counted.new_task(U"other");
    scene.counted.process.python.run(scene.counted.process.thread, frame);
    scene.malloc(10);
    scene.thread.malloc(100, block);  // outside any task
    REQUIRE(al_line_ids_used == 3);
    CHECK(Scene::line(2).key.site == Counted::site(U"other"));
    CHECK(Scene::line(3).allocated_bytes == 100);
    CHECK(Scene::line(1).key.code == Scene::line(3).key.code);
    Counted::check_sound();
  });
}

TEST_CASE("entry frames of C in front of the innermost Python function") {
  for_each_line([](const python::LayoutRow& row) {
    Scene scene(row);
    Python& python = scene.counted.process.python;
    if (!python.has_entry_frames()) return;
    const Address code = scene.counted.function(U"parse");
    scene.at(code, 10);
    python.run(scene.counted.process.thread, python.entry_frame(scene.frame));
    scene.malloc(1);
    CHECK(Scene::line(1).key.code == code);
  });
}

TEST_CASE("without the option, or where there is no Python, or it cannot be read, there is no line") {
  for_each_line([](const python::LayoutRow& row) {
    Scene scene(row);
    Process& process = scene.counted.process;
    const Address code = scene.counted.function(U"parse");
    scene.at(code, 10);
    Counted::memory().flags = 0;
    scene.malloc(1);
    Counted::memory().flags = AL_MEMORY_LINES;
    process.memory->hide(scene.frame + row.layout.frame_first, row.layout.frame_span);
    scene.malloc(10);
    process.memory->show_all();
    process.memory->hide(code, row.sizes.code);
    scene.malloc(100);
    process.memory->show_all();
    process.python.run(process.thread, 0);
    scene.malloc(1000);
    process.python.set_pthread(process.thread, 1);
    scene.malloc(10000);
    CHECK(Counted::balance(U"work") == Balance{11111, 5});
    CHECK(al_line_ids_used == 0);
    CHECK(kernel().map("line_ids").size() == 0);
    Counted::check_sound();
  });
}

TEST_CASE("no more lines than there is room for; what user space gives back is used again") {
  Scene scene(line(11));
  const Address code = scene.counted.function(U"parse");
  al_line_ids_used = AL_MAX_LINES - 2;
  scene.at(code, 10);
  scene.malloc(1);
  CHECK(Scene::line(AL_MAX_LINES - 1).allocated_bytes == 1);
  scene.at(code, 12);
  scene.malloc(10);
  CHECK(Counted::balance(U"work") == Balance{11, 2});
  CHECK(kernel().map("line_ids").size() == 1);
  CHECK(al_line_ids_used == AL_MAX_LINES - 1);
  const std::uint32_t given_back = 77;
  kernel().map("free_lines").push(&given_back);
  scene.malloc(100);
  CHECK(Scene::line(77).allocated_bytes == 100);
  CHECK(Scene::line(77).ready == 1);
  CHECK(kernel().map("free_lines").size() == 0);
}

TEST_CASE("the last index, taken by another thread meanwhile, is none") {
  Scene scene(line(11));
  scene.at(scene.counted.function(U"parse"), 10);
  scene.malloc(1);
  kernel().map("line_ids").erase(&Scene::line(1).key);
  kernel().map("lines").resize(2);  // as if the next index were beyond the last
  scene.malloc(10);
  CHECK(kernel().map("line_ids").size() == 0);
  CHECK(Counted::balance(U"work") == Balance{11, 2});
}

TEST_CASE("two threads at the same line for the first time: one line") {
  Scene scene(line(11));
  scene.at(scene.counted.function(U"parse"), 10);
  scene.malloc(1);  // the site is known
  const std::uint32_t first = 1;
  const al_line_key key = Scene::line(first).key;
  const std::uint32_t other = 9;
  kernel().map("line_ids").erase(&key);
  kernel().map("line_ids").before_next_update([&] { kernel().map("line_ids").update(&key, &other, BPF_ANY); });
  scene.malloc(10);
  CHECK(Scene::line(9).allocated_bytes == 10);
  CHECK(Scene::line(2).process == 0);
  CHECK(Scene::line(2).ready == 0);
  std::uint32_t given_back = 0;
  CHECK(kernel().map("free_lines").pop(&given_back) == 0);
  CHECK(given_back == 2);

  kernel().map("line_ids").erase(&key);
  kernel().map("line_ids").fail_next_update(-E2BIG);
  scene.malloc(100);
  CHECK(Counted::balance(U"work") == Balance{111, 3});
  CHECK(kernel().map("free_lines").pop(&given_back) == 0);
  CHECK(kernel().map("line_ids").size() == 0);
}

TEST_CASE("a block keeps its line through a realloc that fails, and takes the new one through one that does not") {
  Scene scene(line(12));
  const Address code = scene.counted.function(U"parse");
  scene.at(code, 10);
  scene.malloc(1);
  scene.at(code, 12);
  scene.thread.step(scene.task, [&] { scene.thread.realloc(block + 0x1000, 5, 0); });
  CHECK(Scene::line(1).freed_bytes == 0);
  Counted::check_sound();
  scene.thread.step(scene.task, [&] { scene.thread.realloc(block + 0x1000, 5, block); });
  CHECK(Scene::line(1).freed_bytes == 1);
  CHECK(Scene::line(2).allocated_bytes == 5);
  Counted::check_sound();
}

TEST_CASE("what is not tracked has no line") {
  Scene scene(line(12));
  scene.at(scene.counted.function(U"parse"), 10);
  kernel().map("crowded_out").resize(0);
  al_allocation_buckets = 1;
  for (int i = 0; i < 6; i++) scene.malloc(1);
  CHECK(Scene::line(1).allocated_blocks == 4);
  CHECK(Counted::memory().untracked_blocks == 2);
  Counted::check_sound();
}

}  // namespace
}  // namespace asyncleak::fake
