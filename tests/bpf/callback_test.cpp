// Whom an allocation outside any task is charged to: the callback that the event loop runs, or nobody.
#include "memory_machine.h"

namespace asyncleak::fake {
namespace {

constexpr Address block = 0x7f1000000010;

// How struct al_block of frame.bpf.h begins.
struct al_block_head {
  std::uint64_t taken;
};

// A loop whose callbacks are called by Handle._run, and that has run a task.
struct Loop {
  explicit Loop(const python::LayoutRow& row) : counted(row), thread(counted) {
    stack = {counted.function(U"main"), counted.function(U"run_forever"), counted.function(U"Handle._run")};
    task = counted.new_task(U"work");
    counted.run_python(stack);
    thread.step(task, [] {});
  }

  // In CODES, called one by the other from the dispatcher.
  void run(const std::vector<Address>& codes, bool apart = true) {
    auto all = stack;
    all.insert(all.end(), codes.begin(), codes.end());
    innermost = counted.run_python(all, apart);
  }
  void malloc(std::uint64_t size) { thread.malloc(size, next += 0x1000); }

  Counted counted;
  Caller thread;
  std::vector<Address> stack;
  Address task = 0, innermost = 0, next = block;
};

TEST_CASE("what a callback allocates is charged to its function, however deep it is in others") {
  for_each_line([](const python::LayoutRow& row) {
    for (const bool apart : {true, false}) {
      Loop loop(row);
      const Address callback = loop.counted.function(U"on_data"), helper = loop.counted.function(U"parse");
      loop.run({callback}, apart);
      loop.malloc(1);
      loop.run({callback, helper}, apart);
      loop.malloc(10);
      loop.run({callback, helper, helper, helper, helper, helper, helper, helper, helper, helper, helper}, apart);
      loop.malloc(100);  // beyond the words of one block
      loop.run({helper}, apart);
      loop.malloc(1000);
      CHECK(Counted::balance(U"on_data") == Balance{111, 3});
      CHECK(Counted::balance(U"parse") == Balance{1000, 1});
      CHECK(Counted::site(U"") == 0);
      CHECK(kernel().map("blocks").find<al_block_head>(std::uint32_t{0})->taken == 0);
      Counted::check_sound();
    }
  });
}

TEST_CASE("a callback's site says what it is") {
  for_each_line([](const python::LayoutRow& row) {
    Loop loop(row);
    const Address callback = loop.counted.function(U"on_data");
    loop.run({callback});
    loop.malloc(1);
    const std::uint32_t id = Counted::site(U"on_data");
    const auto* site = kernel().map("sites").find<al_site>(id);
    const auto* origin = kernel().map("origins").find<al_origin>(id);
    CHECK(site->key.stack == AL_STACK_CALLBACK);
    CHECK(site->key.code == callback);
    CHECK(site->key.process == loop.counted.id());
    CHECK(site->tgid == Counted::tgid);
    CHECK(site->created == 0);
    CHECK(origin->process == loop.counted.id());
    CHECK(origin->core == Machine::core());
    CHECK(origin->code == callback);
    CHECK(origin->ready == 1);
    const al_code* code = Machine::code(loop.counted.process, callback, origin->print);
    REQUIRE(code != nullptr);
    CHECK(text_of(code->file) == U"/srv/cb.py");
    // Another function later at the same address is another site.
    loop.counted.process.python.code_at(callback, {U"on_close", U"on_close", U"/srv/cb.py", 9});
    loop.malloc(10);
    CHECK(Counted::balance(U"on_data") == Balance{1, 1});
    CHECK(Counted::balance(U"on_close") == Balance{10, 1});
  });
}

TEST_CASE("outside any callback: one site for the process") {
  for_each_line([](const python::LayoutRow& row) {
    Loop loop(row);
    loop.run({});  // the dispatcher itself: a callback in C
    loop.malloc(1);
    loop.counted.run_python({loop.stack[0]});  // it is not there
    loop.malloc(10);
    loop.counted.run_python({});
    loop.malloc(100);
    loop.counted.process.python.run(loop.counted.process.thread, 0);  // no frame at all
    loop.malloc(1000);
    CHECK(Counted::balance(U"") == Balance{1111, 4});
    const std::uint32_t id = Counted::site(U"");
    CHECK(kernel().map("sites").find<al_site>(id)->key.code == 0);
    CHECK(kernel().map("origins").find<al_origin>(id)->ready == 1);
    CHECK(kernel().map("origins").find<al_origin>(id)->qualname.kind == 0);
    Counted::check_sound();
  });
}

TEST_CASE("before the first step no callback is known") {
  Counted counted(line(11));
  Caller thread(counted);
  const Address dispatcher = counted.function(U"Handle._run"), callback = counted.function(U"on_data");
  counted.run_python({dispatcher, callback});
  thread.malloc(1, block);
  CHECK(Counted::balance(U"") == Balance{1, 1});
  CHECK(Counted::site(U"on_data") == 0);
}

TEST_CASE("a callback is looked for among 128 frames") {
  for_each_line([](const python::LayoutRow& row) {
    Loop loop(row);
    std::vector<Address> codes(1, loop.counted.function(U"on_data"));
    codes.resize(127, loop.counted.function(U"parse"));
    loop.run(codes);
    loop.malloc(1);
    CHECK(Counted::balance(U"on_data") == Balance{1, 1});
    codes.push_back(codes.back());
    loop.run(codes);
    loop.malloc(10);
    CHECK(Counted::balance(U"on_data") == Balance{1, 1});
    CHECK(Counted::balance(U"") == Balance{10, 1});
    CHECK(Machine::dropped() == 0);
  });
}

TEST_CASE("entry frames of C between dispatcher and callback, and in front of the dispatcher") {
  for_each_line([](const python::LayoutRow& row) {
    Counted counted(row);
    Python& python = counted.process.python;
    if (!python.has_entry_frames()) return;
    Caller thread(counted);
    const Address task = counted.new_task(U"work"), dispatcher = counted.function(U"Handle._run");
    const Address below = python.frame(dispatcher, 8, python.entry_frame(0));
    python.run(counted.process.thread, python.entry_frame(python.entry_frame(python.entry_frame(below))));
    thread.step(task, [] {});  // the fourth is looked at
    const Address callback = python.frame(counted.function(U"on_data"), 8, python.entry_frame(below));
    python.run(counted.process.thread, python.entry_frame(callback));
    thread.malloc(1, block);
    CHECK(Counted::balance(U"on_data") == Balance{1, 1});

    python.run(counted.process.thread,
               python.entry_frame(python.entry_frame(python.entry_frame(python.entry_frame(below)))));
    Caller other(counted);
    other.set_tid(101);
    other.step(task, [] {});  // no further
    python.run(counted.process.thread, callback);
    other.malloc(10, block + 0x1000);
    CHECK(Counted::balance(U"") == Balance{10, 1});
  });
}

TEST_CASE("frames or code that cannot be read: outside") {
  for_each_line([](const python::LayoutRow& row) {
    Loop loop(row);
    const Address callback = loop.counted.function(U"on_data"), helper = loop.counted.function(U"parse");
    loop.run({callback, helper});
    const auto back = loop.counted.process.memory->get<Address>(loop.innermost + row.layout.frame_back);
    loop.counted.process.memory->hide(back + row.layout.frame_first, row.layout.frame_span);
    loop.malloc(1);
    CHECK(Counted::balance(U"") == Balance{1, 1});
    loop.counted.process.memory->show_all();
    loop.counted.process.memory->hide(callback, row.sizes.code);
    loop.malloc(10);
    CHECK(Counted::balance(U"") == Balance{11, 2});
    // At the start of a step: what was learnt stays.
    loop.counted.process.memory->hide(loop.innermost + row.layout.frame_first, row.layout.frame_span);
    for (int i = 0; i < 2000; i++) loop.thread.step(loop.task, [] {});
    loop.counted.process.memory->show_all();
    loop.malloc(100);
    CHECK(Counted::balance(U"on_data") == Balance{100, 1});
  });
}

TEST_CASE("a callback whose name cannot be read is charged all the same") {
  Loop loop(line(12));
  const Address callback = loop.counted.function(U"on_data");
  const auto name = loop.counted.process.memory->get<Address>(callback + line(12).layout.code_qualname);
  loop.counted.process.memory->hide(name, 16 + line(12).layout.str_state);
  loop.run({callback});
  loop.malloc(10);
  CHECK(counted(AL_DROP_NAME_UNREADABLE) == 2);  // of the site, of the code
  CHECK(Counted::total() == Balance{10, 1});
}

TEST_CASE("the dispatcher is looked at again every 1024 steps") {
  Loop loop(line(13));
  const Address callback = loop.counted.function(U"on_data");
  const std::vector<Address> uvloop = {loop.stack[0], loop.counted.function(U"run")};
  loop.counted.run_python(uvloop);
  for (int i = 0; i < 1024; i++) loop.thread.step(loop.task, [] {});
  loop.counted.run_python({uvloop[0], uvloop[1], callback});
  loop.malloc(1);
  CHECK(Counted::balance(U"") == Balance{1, 1});
  loop.counted.run_python(uvloop);
  loop.thread.step(loop.task, [] {});
  loop.counted.run_python({uvloop[0], uvloop[1], callback});
  loop.malloc(10);
  CHECK(Counted::balance(U"on_data") == Balance{10, 1});
  loop.counted.run_python(loop.stack);
  loop.thread.step(loop.task, [] {});  // not looked at
  loop.counted.run_python({uvloop[0], uvloop[1], callback});
  loop.malloc(100);
  CHECK(Counted::balance(U"on_data") == Balance{110, 2});
}

TEST_CASE("a thread without Python is outside, and is searched for again after 256 allocations") {
  for_each_line([](const python::LayoutRow& row) {
    Loop loop(row);
    Process& process = loop.counted.process;
    loop.run({loop.counted.function(U"on_data")});
    process.python.set_pthread(process.thread, 1);  // another thread's from now on
    for (int i = 0; i < 100; i++) loop.malloc(1);
    CHECK(Counted::balance(U"") == Balance{100, 100});
    process.thread = process.python.add_thread(process.interpreter, Machine::pthread_of(Counted::tgid));
    loop.run({loop.counted.function(U"on_data")});
    for (int i = 0; i < 157; i++) loop.malloc(1);
    CHECK(Counted::balance(U"") == Balance{257, 257});
    loop.malloc(1);
    CHECK(Counted::balance(U"on_data") == Balance{1, 1});
  });
}

TEST_CASE("a thread's own stack counts, not the main thread's") {
  for_each_line([](const python::LayoutRow& row) {
    Loop loop(row);
    loop.run({loop.counted.function(U"on_data")});
    Caller worker(loop.counted, 101);  // of Python, running no loop
    Process second_thread = loop.counted.process;
    second_thread.thread =
        loop.counted.process.python.add_thread(loop.counted.process.interpreter, Machine::pthread_of(101));
    const Address code = loop.counted.function(U"compute");
    second_thread.python.run(second_thread.thread, second_thread.python.frame(code, 8, 0));
    worker.malloc(1, block);
    CHECK(Counted::balance(U"") == Balance{1, 1});
    worker.step(loop.task, [] {});  // a loop of its own, whose dispatcher is compute()
    const Address callback = loop.counted.function(U"on_timer");
    const Address frame = second_thread.python.frame(callback, 8, second_thread.python.frame(code, 8, 0));
    second_thread.python.run(second_thread.thread, frame);
    worker.malloc(10, block + 0x100);
    loop.malloc(100);
    CHECK(Counted::balance(U"on_timer") == Balance{10, 1});
    CHECK(Counted::balance(U"on_data") == Balance{100, 1});
  });
}

TEST_CASE("in a subinterpreter the active state of the thread counts") {
  for_each_line([](const python::LayoutRow& row) {
    if (row.layout.thread_status == AL_ABSENT) return;
    Loop loop(row);
    Process& process = loop.counted.process;
    loop.run({loop.counted.function(U"on_data")});
    process.python.set_active(process.thread, false);
    const Address inner =
        process.python.add_thread(process.python.add_interpreter(), Machine::pthread_of(Counted::tgid));
    process.python.run(inner, process.python.frame(loop.counted.function(U"inside"), 8, 0));
    loop.malloc(1);
    CHECK(Counted::balance(U"") == Balance{1, 1});
    process.python.set_active(inner, false);
    process.python.set_active(process.thread, true);
    loop.malloc(10);
    CHECK(Counted::balance(U"on_data") == Balance{10, 1});
  });
}

TEST_CASE("two threads at the same callback for the first time: one site") {
  Loop loop(line(11));
  loop.run({loop.counted.function(U"on_data")});
  kernel().map("site_ids").before_next_update([&] { loop.malloc(1); });
  loop.malloc(10);
  CHECK(Counted::balance(U"on_data") == Balance{11, 2});
  CHECK(kernel().map("free_sites").size() == 1);
  Counted::check_sound();
}

TEST_CASE("a site beyond the counters is not charged") {
  Loop loop(line(11));
  loop.run({loop.counted.function(U"on_data")});
  kernel().map("site_memory").resize(1);
  loop.malloc(10);
  loop.thread.free(loop.next);
  CHECK(Counted::records().empty());
}

TEST_CASE("a thread that has let the GIL go is where it was") {
  for_each_line([](const python::LayoutRow& row) {
    Loop loop(row);
    Process& process = loop.counted.process;
    loop.run({loop.counted.function(U"on_data")});
    process.python.set_active(process.thread, false);
    for (int i = 0; i < 600; i++) loop.malloc(1);  // searched for again meanwhile
    CHECK(Counted::balance(U"on_data") == Balance{600, 600});
    Caller other(loop.counted);
    other.set_tid(102);  // that is not known yet
    other.malloc(10, block);
    CHECK(Counted::balance(U"") == Balance{10, 1});  // its loop is not known, its stack is
    Counted::memory().flags = AL_MEMORY_LINES;
    other.malloc(100, block + 0x100);
    CHECK(al_line_ids_used == 1);
    process.python.set_pthread(process.thread, 1);  // a new thread's
    loop.malloc(1000);
    CHECK(Counted::balance(U"") == Balance{1110, 3});
    CHECK(Machine::dropped() == 0);
  });
}

TEST_CASE("the dispatcher does something else than to call: outside, and it is looked at again") {
  for_each_line([](const python::LayoutRow& row) {
    Loop loop(row);
    Python& python = loop.counted.process.python;
    const Address elsewhere = python.frame(loop.stack[2], 40, python.has_entry_frames() ? python.entry_frame(0) : 0);
    const Address handler = python.frame(loop.counted.function(U"exception_handler"), 8, elsewhere);
    python.run(loop.counted.process.thread, handler);
    loop.malloc(1);
    CHECK(Counted::balance(U"") == Balance{1, 1});
    CHECK(Counted::site(U"exception_handler") == 0);
    // Another build of the function's code calls from there.
    python.run(loop.counted.process.thread, elsewhere);
    loop.thread.step(loop.task, [] {});
    python.run(loop.counted.process.thread, handler);
    loop.malloc(10);
    CHECK(Counted::balance(U"exception_handler") == Balance{10, 1});
    loop.run({loop.counted.function(U"on_data")});
    loop.malloc(100);
    CHECK(Counted::balance(U"") == Balance{101, 2});
  });
}

TEST_CASE("no room for another site: not tracked, and counted as lost") {
  Loop loop(line(11));
  al_max_sites = al_site_ids_used + 1;
  loop.run({loop.counted.function(U"on_data")});
  loop.malloc(1);
  loop.counted.run_python({});
  loop.malloc(10);
  loop.thread.step(loop.counted.older_task(U"older"), [&] { loop.malloc(100); });
  CHECK(Counted::memory().untracked_blocks == 3);
  CHECK(counted(AL_DROP_SITES_FULL) == 3);
  CHECK(Counted::total() == Balance{0, 0});
}

}  // namespace
}  // namespace asyncleak::fake
