// Creation stacks: whose, how deep, which frames.
#include "machine.h"

namespace asyncleak::fake {
namespace {

constexpr Address task = 0x7f5500001230;
constexpr Address data_stack = 0x7e0000000000;  // of a thread, 3.11+: frames one after the other
constexpr Address frame_stride = 0x100;

struct Stack {
  std::vector<Address> codes;  // innermost first
  std::vector<Address> frames;
};

// DEPTH functions that call each other, made current. Every second call through C where the line has such frames.
Stack call(Process& process, unsigned depth, bool through_c = false, bool contiguous = false) {
  Stack stack;
  Address back = process.python.has_entry_frames() ? process.python.entry_frame(0) : 0;
  for (unsigned i = 0; i < depth; i++) {
    CodeText text;
    text.name = text.qualname = U"level_" + std::u32string(1, static_cast<char32_t>(U'a' + i));
    const Address code = process.python.code(text);
    if (through_c && i % 2 == 1 && process.python.has_entry_frames()) back = process.python.entry_frame(back);
    back = process.python.frame(code, 2 * i, back, contiguous ? data_stack + i * frame_stride : 0);
    stack.codes.insert(stack.codes.begin(), code);
    stack.frames.insert(stack.frames.begin(), back);
  }
  process.python.run(process.thread, back);
  return stack;
}

std::vector<Address> kept(const Site& site) {
  std::vector<Address> codes;
  for (std::uint32_t i = 0; i < site.origin.depth; i++) codes.push_back(site.origin.frames[i].code);
  return codes;
}

std::vector<Address> first(const Stack& stack, std::size_t count) {
  return {stack.codes.begin(), stack.codes.begin() + static_cast<std::ptrdiff_t>(count)};
}

bool has_more(const Site& site) { return (site.origin.flags & AL_ORIGIN_MORE) != 0; }

bool one_global_thread(const python::LayoutRow& row) { return (row.layout.flags & AL_TSTATE_GLOBAL) != 0; }

TEST_CASE("no more frames are kept than asked for") {
  for_each_line([](const python::LayoutRow& row) {
    for (const std::uint32_t depth : {1U, 2U, 8U, 32U}) {
      for (const bool through_c : {false, true}) {
        CAPTURE(depth, through_c);
        Machine machine(row);
        al_stack_depth = depth;
        Process& process = machine.start(100);
        const Stack deeper = call(process, 40, through_c);
        machine.create(process, task);
        CHECK(kept(machine.only_site()) == first(deeper, depth));
        CHECK(has_more(machine.only_site()));
        CHECK(machine.dropped() == 0);
      }
    }
  });
}

TEST_CASE("a stack as deep as asked for has no more, whatever C lies below it") {
  for_each_line([](const python::LayoutRow& row) {
    Machine machine(row);
    al_stack_depth = 4;
    Process& process = machine.start(100);
    const Stack whole = call(process, 4, true);
    machine.create(process, task);
    CHECK(kept(machine.only_site()) == whole.codes);
    CHECK_FALSE(has_more(machine.only_site()));
    CHECK(machine.dropped() == 0);
  });
}

TEST_CASE("with depth 0 no stack is read") {
  for_each_line([](const python::LayoutRow& row) {
    Machine machine(row);
    al_stack_depth = 0;
    Process& process = machine.start(100);
    const Address code = process.python.code({}), name = process.python.str(U"Service.spawn");
    const Stack here = call(process, 3);
    machine.create(process, task, process.python.coroutine(code, name));
    const Stack there = call(process, 5);
    machine.create(process, task + 0x100, process.python.coroutine(code, name));
    CHECK(here.codes != there.codes);
    CHECK(machine.only_site().site.created == 2);
    CHECK(machine.only_site().site.key.stack == 0);
    CHECK(machine.only_site().origin.depth == 0);
    CHECK((machine.only_site().origin.flags & AL_ORIGIN_NO_STACK) == 0);
    CHECK(machine.dropped() == 0);
  });
}

TEST_CASE("another line of the creator is another site, unless lines cannot be told") {
  for_each_line([](const python::LayoutRow& row) {
    Machine machine(row);
    Process& process = machine.start(100);
    const Address code = process.python.code({}), name = process.python.str(U"Service.spawn");
    for (const std::uint32_t offset : {10U, 12U, 10U}) {
      process.python.run(process.thread, process.python.frame(process.serve_code, offset, 0));
      machine.create(process, task + 0x100ULL * offset, process.python.coroutine(code, name));
    }
    const bool copies = (row.layout.flags & AL_CODE_COPIES) != 0;
    const auto sites = machine.sites();
    REQUIRE(sites.size() == (copies ? 1 : 2));
    if (!copies) {
      CHECK(sites[0].origin.frames[0].offset == 10);
      CHECK(sites[1].origin.frames[0].offset == 12);
    }
  });
}

TEST_CASE("frames one after the other on the data stack") {
  for_each_line([](const python::LayoutRow& row) {
    Machine machine(row);
    al_stack_depth = 32;
    Process& process = machine.start(100);
    const Stack stack = call(process, 40, false, true);  // over several pages
    machine.create(process, task);
    CHECK(kept(machine.only_site()) == first(stack, 32));
    // The same site when each frame lies by itself.
    const auto hash = machine.only_site().site.key.stack;
    process.memory->hide(data_stack - 1, 1);
    machine.create(process, task + 0x100);
    for (const Site& site : machine.sites()) CHECK(site.site.key.stack == hash);
    CHECK(machine.dropped() == 0);
  });
}

TEST_CASE("a missing page below the innermost frame does not cut the stack") {
  for_each_line([](const python::LayoutRow& row) {
    Machine machine(row);
    Process& process = machine.start(100);
    const Stack stack = call(process, 3, false, true);
    process.memory->hide(data_stack + frame_stride - 1, 1);  // between two frames
    machine.create(process, task);
    CHECK(kept(machine.only_site()) == stack.codes);
    CHECK(machine.dropped() == 0);
  });
}

TEST_CASE("a probe preempted by another one keeps its own stack") {
  for_each_line([](const python::LayoutRow& row) {
    Machine machine(row);
    Process& other = machine.start(200);
    (void)call(other, 5, false, true);
    Process& process = machine.start(100);
    // The frame that is not on the data stack makes a read while the block is in use.
    const Stack stack = call(process, 4, true, true);
    const Address code = process.python.code({}), name = process.python.str(U"Service.spawn");
    // Undisturbed first; then once at each read of the program.
    machine.create(process, task, process.python.coroutine(code, name));
    for (int reads = 0; reads < 12; reads++) {
      const Address coroutine = process.python.coroutine(code, name);
      std::function<void()> at_read = [&] {
        machine.create(other, task);
        machine.destroy(task);
        Machine::run(process);
      };
      for (int i = 0; i < reads; i++) at_read = [at_read] { kernel().at_next_read = at_read; };
      kernel().at_next_read = at_read;
      machine.create(process, task + 0x100ULL * (reads + 1), coroutine);
    }
    const auto sites = machine.sites(machine.process(100)->id);
    REQUIRE(sites.size() == 1);
    CHECK(sites[0].site.created == 13);
    CHECK(kept(sites[0]) == stack.codes);
  });
}

TEST_CASE("an unreadable frame cuts the stack short") {
  for_each_line([](const python::LayoutRow& row) {
    Machine machine(row);
    Process& process = machine.start(100);
    const Stack stack = call(process, 5);
    process.memory->hide(stack.frames[2], row.sizes.frame);
    machine.create(process, task);
    CHECK(kept(machine.only_site()) == first(stack, 2));
    CHECK(machine.only_site().site.created == 1);
    CHECK(counted(AL_DROP_STACK_UNREADABLE) == 2);  // once for the hash, once for the site
  });
}

TEST_CASE("a frame whose code cannot be read stays, without a name") {
  for_each_line([](const python::LayoutRow& row) {
    Machine machine(row);
    Process& process = machine.start(100);
    const Stack stack = call(process, 3);
    process.memory->hide(stack.codes[1], row.sizes.code);
    machine.create(process, task);
    const Site site = machine.only_site();
    CHECK(kept(site) == stack.codes);
    CHECK(site.origin.frames[1].print == 0);
    CHECK(site.origin.frames[2].print != 0);
    CHECK(counted(AL_DROP_CODE_UNREADABLE) == 1);
  });
}

TEST_CASE("a thread without Python has no stack") {
  for_each_line([](const python::LayoutRow& row) {
    Machine machine(row);
    Process& process = machine.start(100);
    if (one_global_thread(row)) {
      const Address runtime = process.python.layout().runtime + Python::bias;
      process.memory->put<Address>(runtime + row.layout.runtime_tstate_current, 0);
    } else {
      process.python.set_pthread(process.thread, 0);
    }
    machine.create(process, task);
    CHECK((machine.only_site().origin.flags & AL_ORIGIN_NO_STACK) != 0);
    CHECK(machine.only_site().origin.depth == 0);
    CHECK(machine.only_site().site.created == 1);
    CHECK(counted(AL_DROP_THREAD_NOT_FOUND) == 1);
  });
}

TEST_CASE("each thread has its own stack") {
  for_each_line([](const python::LayoutRow& row) {
    if (one_global_thread(row)) return;
    Machine machine(row);
    Process& process = machine.start(100);
    Process worker = process;
    const std::uint64_t pthread = Machine::pthread_of(101);
    worker.thread = process.python.add_thread(process.interpreter, pthread);
    const Stack main_stack = call(process, 2), worker_stack = call(worker, 3);
    const Address main_args = process.python.tuple({machine.coroutine(process)});
    for (std::uint64_t i = 0; i < 6; i++) {  // the hint of the last creator is wrong each time
      if (i % 2 == 0) {
        Machine::run(process);
      } else {
        Machine::run(process, 101, pthread);
      }
      Machine::init(task + 0x100 * i, main_args, 0);
    }
    const auto sites = machine.sites();
    REQUIRE(sites.size() == 2);
    CHECK(kept(sites[0]) == main_stack.codes);
    CHECK(kept(sites[1]) == worker_stack.codes);
    CHECK(sites[0].site.created == 3);
    CHECK(sites[1].site.created == 3);
    CHECK(machine.dropped() == 0);
  });
}

TEST_CASE("of a thread in several interpreters the active one counts") {
  for_each_line([](const python::LayoutRow& row) {
    if (one_global_thread(row)) return;
    Machine machine(row);
    Process& process = machine.start(100);
    const Stack outer = call(process, 2);
    Process inside = process;
    inside.thread = process.python.add_thread(process.python.add_interpreter(), Machine::pthread_of(100));
    const Stack inner = call(inside, 3);
    const Address args = process.python.tuple({machine.coroutine(process)});
    process.python.set_active(process.thread, false);
    Machine::init(task, args, 0);
    process.python.set_active(process.thread, true);  // back again: what was remembered is not active
    process.python.set_active(inside.thread, false);
    Machine::init(task + 0x100, args, 0);
    const auto sites = machine.sites();
    REQUIRE(sites.size() == 2);
    CHECK(kept(sites[0]) == inner.codes);
    CHECK(kept(sites[1]) == outer.codes);
    CHECK(machine.dropped() == 0);
  });
}

TEST_CASE("a thread's state can become another thread's") {
  for_each_line([](const python::LayoutRow& row) {
    if (one_global_thread(row)) return;
    Machine machine(row);
    Process& process = machine.start(100);
    const Address args = process.python.tuple({machine.coroutine(process)});
    Machine::init(task, args, 0);  // remembered
    process.python.set_pthread(process.thread, Machine::pthread_of(101));
    Process again = process;
    again.thread = process.python.add_thread(process.interpreter, Machine::pthread_of(100));
    const Stack now = call(again, 3);
    Machine::init(task + 0x100, args, 0);
    const auto sites = machine.sites();
    REQUIRE(sites.size() == 2);
    CHECK(kept(sites[1]) == now.codes);
    CHECK(machine.dropped() == 0);
  });
}

TEST_CASE("a thread is searched for among 4096, not among more") {
  const python::LayoutRow& row = line(13);
  for (const int others : {4000, 5000}) {
    Machine machine(row);
    Process& process = machine.start(100);  // the oldest thread: the last in the list
    for (int i = 0; i < others; i++)
      (void)process.python.add_thread(process.interpreter, Machine::pthread_of(1000 + i));
    machine.create(process, task);
    CHECK(machine.only_site().site.created == 1);
    CHECK(counted(AL_DROP_THREAD_NOT_FOUND) == (others > 4096 ? 1 : 0));
    CHECK(machine.only_site().origin.depth == (others > 4096 ? 0 : 2));
  }
}

}  // namespace
}  // namespace asyncleak::fake
