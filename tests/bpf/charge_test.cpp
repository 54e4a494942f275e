// Whom an allocation is charged to: the task whose step runs.
#include "memory_machine.h"
#include "seeder.h"

namespace asyncleak::fake {
namespace {

constexpr Address block = 0x7f1000000010;

TEST_CASE("what a task's step allocates is the task's, until it is freed, by whomever") {
  for_each_line([](const python::LayoutRow& row) {
    Counted counted(row);
    Caller thread(counted), other(counted, 101);
    const Address task = counted.new_task(U"work");
    thread.step(task, [&] { thread.malloc(1000, block); });
    CHECK(Counted::balance(U"work") == Balance{1000, 1});
    CHECK(Counted::counters(Counted::site(U"work")).allocated_bytes == 1000);
    Counted::check_sound();
    other.free(block);
    CHECK(Counted::balance(U"work") == Balance{0, 0});
    CHECK(Counted::counters(Counted::site(U"work")).freed_blocks == 1);
    CHECK(Counted::total() == Balance{0, 0});
    CHECK(Counted::records().empty());
    Counted::check_sound();
  });
}

TEST_CASE("two tasks of one site, and one of another") {
  for_each_line([](const python::LayoutRow& row) {
    Counted counted(row);
    Caller thread(counted);
    const Address coroutine = Machine::coroutine(counted.process, U"work");
    const Address first = counted.process.memory->allocate(0x100),
                  second_task = counted.process.memory->allocate(0x100);
    Machine::create(counted.process, first, coroutine);
    Machine::create(counted.process, second_task, coroutine);
    const Address third = counted.new_task(U"other");
    thread.step(first, [&] { thread.malloc(100, block); });
    thread.step(second_task, [&] { thread.malloc(200, block + 0x1000); });
    thread.step(third, [&] { thread.malloc(400, block + 0x2000); });
    CHECK(Counted::balance(U"work") == Balance{300, 2});
    CHECK(Counted::balance(U"other") == Balance{400, 1});
    Counted::check_sound();
  });
}

TEST_CASE("the task may lie in a wrapper object") {
  for_each_line([](const python::LayoutRow& row) {
    Counted counted(row);
    Caller thread(counted);
    thread.step_offset = Counted::task_offset;
    thread.step(counted.wrapper(counted.new_task(U"work")), [&] { thread.malloc(1000, block); });
    CHECK(Counted::balance(U"work") == Balance{1000, 1});
    Counted::check_sound();
  });
}

TEST_CASE("a task whose record is in the second tier") {
  Counted counted(line(12));
  Caller thread(counted);
  kernel().map("recent_tasks").resize(0);
  const Address task = counted.new_task(U"work");
  REQUIRE(al_spilled_tasks == 1);
  thread.step(task, [&] { thread.malloc(1000, block); });
  CHECK(Counted::balance(U"work") == Balance{1000, 1});
  CHECK(Machine::sites().size() == 1);
}

TEST_CASE("a seeded task is its seeded site's") {
  Counted counted(line(11));
  Caller thread(counted);
  const Address task = counted.older_task(U"work");
  const Seeder seeder(Counted::tgid);
  const std::uint32_t site = seeder.site(42);
  seeder.begin();
  seeder.seed({task}, site);
  seeder.end();
  thread.step(task, [&] { thread.malloc(1000, block); });
  CHECK(Counted::balance(site) == Balance{1000, 1});
  CHECK(Machine::sites().size() == 1);
}

TEST_CASE("a task nobody told of is charged by its coroutine, one site for all of them") {
  for_each_line([](const python::LayoutRow& row) {
    Counted counted(row);
    Caller thread(counted);
    const Address first = counted.older_task(U"work"), second_task = counted.process.memory->allocate(0x100);
    const auto coroutine = counted.process.memory->get<Address>(first + Counted::task_coro);
    counted.process.memory->put(second_task + Counted::task_coro, coroutine);
    thread.step(first, [&] { thread.malloc(1000, block); });
    thread.step(second_task, [&] { thread.malloc(100, block + 0x1000); });
    thread.step(counted.older_task(U"other"), [&] { thread.malloc(1, block + 0x2000); });
    // The same code by another name: a decorator's.
    const Address third = counted.process.memory->allocate(0x100);
    const auto code = counted.process.memory->get<Address>(coroutine + row.layout.coro_code) & ~Address{3};
    counted.process.memory->put(third + Counted::task_coro,
                                counted.process.python.coroutine(code, counted.process.python.str(U"wrapped")));
    thread.step(third, [&] { thread.malloc(5, block + 0x3000); });
    CHECK(Counted::balance(U"wrapped") == Balance{5, 1});
    const std::uint32_t site = Counted::site(U"work");
    CHECK(Counted::balance(site) == Balance{1100, 2});
    CHECK(Counted::balance(U"other") == Balance{1, 1});
    const auto* origin = kernel().map("origins").find<al_origin>(site);
    CHECK(origin->flags == AL_ORIGIN_PREEXISTING);
    CHECK(origin->core == Machine::core());
    CHECK(origin->ready == 1);
    CHECK(Machine::code(counted.process, origin->code, origin->print) != nullptr);
    const auto* known = kernel().map("sites").find<al_site>(site);
    CHECK(known->key.stack == AL_STACK_PREEXISTING);
    CHECK(known->created == 0);
    CHECK(known->tgid == Counted::tgid);
    Counted::check_sound();
  });
}

TEST_CASE("a task nobody told of without a coroutine that can be read is not tracked") {
  for_each_line([](const python::LayoutRow& row) {
    Counted counted(row);
    Caller thread(counted);
    const Address task = counted.older_task(U"work");
    counted.process.memory->put<Address>(task + Counted::task_coro, 0);
    thread.step(task, [&] { thread.malloc(1000, block); });
    CHECK(Counted::memory().untracked_blocks == 1);
    CHECK(Machine::sites().empty());
    CHECK(Counted::records().empty());
  });
}

TEST_CASE("a task of a process that user space has not opened, or not this one any more, is not tracked") {
  Counted counted(line(13));
  Caller thread(counted);
  const Address task = counted.older_task(U"work");
  kernel().map("processes").find<al_process>(std::uint32_t{Counted::tgid})->id++;
  thread.step(task, [&] { thread.malloc(1000, block); });
  kernel().map("processes").erase(&Counted::tgid);
  thread.step(task, [&] { thread.malloc(1000, block); });
  CHECK(Counted::memory().untracked_blocks == 2);
  CHECK(Machine::sites().empty());
}

TEST_CASE("a step inside a step, as in a nested loop: the inner task's, then the outer one's again") {
  Counted counted(line(11));
  Caller thread(counted);
  const Address outer = counted.new_task(U"outer"), inner = counted.new_task(U"inner");
  thread.step(outer, [&] {
    thread.malloc(1, block);
    thread.step(inner, [&] { thread.malloc(10, block + 0x1000); });
    thread.malloc(100, block + 0x2000);
  });
  thread.malloc(1000, block + 0x3000);
  CHECK(Counted::balance(U"outer") == Balance{101, 2});
  CHECK(Counted::balance(U"inner") == Balance{10, 1});
  CHECK(Counted::balance(U"") == Balance{1000, 1});
  Counted::check_sound();
}

TEST_CASE("steps nested deeper than are kept are charged to the last that is, and nothing is left over") {
  Counted counted(line(11));
  Caller thread(counted);
  std::vector<Address> tasks;
  const auto name = [](std::size_t i) { return std::u32string{U"task_"} + static_cast<char32_t>(U'a' + i); };
  for (std::size_t i = 0; i < 12; i++) tasks.push_back(counted.new_task(name(i)));
  std::uint64_t next = block;
  std::function<void(std::size_t)> nest = [&](std::size_t depth) {
    if (depth == tasks.size()) return;
    thread.step(tasks[depth], [&] {
      thread.malloc(1, next += 0x1000);
      nest(depth + 1);
      thread.malloc(1, next += 0x1000);
    });
  };
  nest(0);
  for (std::size_t i = 0; i < 7; i++) CHECK(Counted::balance(name(i)) == Balance{2, 2});
  CHECK(Counted::balance(name(7)) == Balance{10, 10});
  thread.malloc(5, block);
  CHECK(Counted::balance(U"") == Balance{5, 1});
  thread.step(tasks[11], [&] { thread.malloc(7, block + 8); });
  CHECK(Counted::balance(name(11)) == Balance{7, 1});
  Counted::check_sound();
}

TEST_CASE("a step whose return is lost ends with the next one that begins as far out") {
  Counted counted(line(11));
  Caller thread(counted);
  const Address outer = counted.new_task(U"outer"), lost = counted.new_task(U"lost"), next = counted.new_task(U"next");
  thread.step(outer, [&] {
    thread.enter(AL_CALL_STEP, {lost});
    thread.leave_unseen();
    thread.step(next, [&] { thread.malloc(10, block); });  // at the same place of the stack
    thread.malloc(100, block + 0x1000);
    thread.enter(AL_CALL_STEP, {lost});
    thread.leave_unseen();
  });
  thread.malloc(1000, block + 0x2000);  // the outer one's return ends both
  CHECK(Counted::balance(U"next") == Balance{10, 1});
  CHECK(Counted::balance(U"outer") == Balance{100, 1});
  CHECK(Counted::balance(U"") == Balance{1000, 1});
  CHECK(Counted::balance(U"lost") == Balance{0, 0});
}

TEST_CASE("steps whose returns are lost at one place do not add up") {
  Counted counted(line(11));
  Caller thread(counted);
  const Address lost = counted.new_task(U"lost"), next = counted.new_task(U"next");
  for (int i = 0; i < 20; i++) {
    thread.enter(AL_CALL_STEP, {lost});
    thread.leave_unseen();
  }
  thread.step(next, [&] { thread.malloc(10, block); });
  CHECK(Counted::balance(U"next") == Balance{10, 1});
}

TEST_CASE("a step that calls another with nothing but the return address on the stack between them goes on") {
  Counted counted(line(11));
  Caller thread(counted);
  thread.frame = 8;
  const Address outer = counted.new_task(U"outer"), inner = counted.new_task(U"inner");
  thread.step(outer, [&] {
    thread.step(inner, [] {});
    thread.malloc(10, block);
  });
  CHECK(Counted::balance(U"outer") == Balance{10, 1});
}

TEST_CASE("whose a step is is asked once") {
  Counted counted(line(11));
  Caller thread(counted);
  const Address task = counted.new_task(U"work");
  thread.step(task, [&] {
    thread.malloc(1, block);
    Machine::destroy(task);
    thread.malloc(10, block + 0x1000);
  });
  CHECK(Counted::balance(U"work") == Balance{11, 2});
}

TEST_CASE("a step may end at a place inside its function, where the stack is as at its beginning") {
  Counted counted(line(11));
  Caller thread(counted);
  const Address outer = counted.new_task(U"outer"), inner = counted.new_task(U"inner");
  thread.enter(AL_CALL_STEP, {outer});
  thread.enter(AL_CALL_STEP, {inner});
  thread.malloc(1, block);
  thread.pass(AL_CALL_STEP_LEFT, {});
  thread.malloc(10, block + 0x1000);
  thread.leave_unseen();
  thread.malloc(100, block + 0x2000);
  CHECK(Counted::memory().return_hits == 3);  // the allocations' only
  thread.leave(AL_CALL_STEP);
  CHECK(Counted::memory().return_hits == 4);
  CHECK(Counted::balance(U"inner") == Balance{1, 1});
  CHECK(Counted::balance(U"outer") == Balance{110, 2});
}

TEST_CASE("an exception through a step is a return like any other") {
  Counted counted(line(14));
  Caller thread(counted);
  thread.call(AL_CALL_STEP, {counted.new_task(U"work")}, 0 /* NULL */, [&] { thread.malloc(1, block); });
  thread.malloc(10, block + 0x1000);
  CHECK(Counted::balance(U"work") == Balance{1, 1});
  CHECK(Counted::balance(U"") == Balance{10, 1});
}

TEST_CASE("each thread runs its own step") {
  Counted counted(line(13, true));
  Caller first(counted), second_thread(counted, 101);
  first.enter(AL_CALL_STEP, {counted.new_task(U"first")});
  second_thread.enter(AL_CALL_STEP, {counted.new_task(U"second")});
  first.malloc(1, block);
  second_thread.malloc(10, block + 0x1000);
  second_thread.leave(AL_CALL_STEP);
  first.malloc(100, block + 0x2000);
  first.leave(AL_CALL_STEP);
  CHECK(Counted::balance(U"first") == Balance{101, 2});
  CHECK(Counted::balance(U"second") == Balance{10, 1});
}

TEST_CASE("Task.__init__ with a keyword True is a step of the task, any other is not") {
  for_each_line([](const python::LayoutRow& row) {
    for (const Keys keys : {Keys::unicode, Keys::general}) {
      Counted counted(row);
      Caller thread(counted);
      Python& python = counted.process.python;
      const Address outer = counted.new_task(U"outer"), eager = counted.new_task(U"eager");
      const Address loop = python.object(python.type("Loop"), 64), name = python.str(U"name");
      const auto starts = [&](Address kwds, Address result) {
        thread.call(AL_CALL_EAGER, {eager, 0, kwds}, 0, [&] { thread.malloc(1, result); });
      };
      thread.step(outer, [&] {
        starts(python.dict({loop, name, counted.true_object}, keys), block);
        starts(python.dict({counted.true_object}, keys), block + 0x1000);
        starts(python.dict({loop, name, loop, name, counted.true_object}, keys), block + 0x2000);
        CHECK(Counted::balance(U"eager") == Balance{3, 3});
        starts(python.dict({loop, name}, keys), block + 0x3000);
        starts(0, block + 0x4000);
      });
      CHECK(Counted::balance(U"eager") == Balance{3, 3});
      CHECK(Counted::balance(U"outer") == Balance{2, 2});
      Counted::check_sound();
    }
  });
}

TEST_CASE("a task may be initialised eagerly in the kernel's sight before its record exists") {
  Counted counted(line(12));
  Caller thread(counted);
  const Address task = counted.older_task(U"eager");
  const Address kwds = counted.process.python.dict({counted.true_object}, Keys::unicode);
  thread.enter(AL_CALL_EAGER, {task, 0, kwds});
  Machine::create(counted.process, task, counted.process.memory->get<Address>(task + Counted::task_coro));
  thread.malloc(1, block);
  thread.leave(AL_CALL_EAGER);
  CHECK(Machine::sites().size() == 1);  // asked for with the first allocation
  CHECK(Counted::balance(U"eager") == Balance{1, 1});
}

TEST_CASE("no layout, no room for the thread: nothing is charged") {
  Counted counted(line(11));
  Caller thread(counted);
  const Address task = counted.new_task(U"work");
  Counted::memory().core = AL_MAX_CORES;
  thread.step(task, [&] { thread.malloc(1, block); });
  thread.call(AL_CALL_EAGER, {task, 0, 0}, 0);
  CHECK(Counted::total() == Balance{0, 0});
  Counted::memory().core = Machine::core();
  kernel().map("memory_threads").resize(1);  // taken
  Caller other(counted, 101);
  const Address kwds = counted.process.python.dict({counted.true_object}, Keys::unicode);
  other.step(task, [&] { other.malloc(1, block); });
  other.call(AL_CALL_EAGER, {task, 0, kwds}, 0);
  other.pass(AL_CALL_MALLOC_RETURN, {block, 1});
  CHECK(Counted::memory().untracked_blocks == 2);
  CHECK(Counted::total() == Balance{0, 0});
  kernel().map("memory_threads").resize(2);
  other.malloc(1, block);
  CHECK(Counted::balance(U"") == Balance{1, 1});
}

}  // namespace
}  // namespace asyncleak::fake
