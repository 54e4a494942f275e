// Tasks destroyed before they finished: pending.bpf.h.
#include "machine.h"
#include "seeder.h"

namespace asyncleak::fake {
namespace {

constexpr std::uint16_t state = 0x50, coro = 0x70;
constexpr std::uint32_t pending = 0, cancelled = 1, finished = 2;
constexpr std::size_t head = 0x10, size = 0x100;

// A machine that knows where a task says whether it has finished, and one process.
struct Scene {
  explicit Scene(const python::LayoutRow& row) : machine(row), process(machine.start(100)) {
    al_binary& image = Machine::image();
    const bool has_head = (row.layout.flags & AL_FREE_THREADED) == 0;
    image.task_state = state;
    image.task_coro = coro;
    image.task_finalized = has_head ? -8 : 11;
    image.task_finalized_mask = has_head ? 1 : 2;
  }
  Address create() {
    const Address task = process.memory->allocate(head + size) + head;
    process.memory->put(task - 8, std::uint64_t{0});
    process.memory->put(task + 8, std::uint64_t{0});
    const Address coroutine = Machine::coroutine(process);
    process.memory->put(task + coro, coroutine);
    process.memory->put(task + state, pending);
    Machine::create(process, task, coroutine);
    return task;
  }
  // What the collector does before it deallocates: finaliser, tp_clear.
  void collect(Address task) {
    const al_binary& image = Machine::image();
    process.memory->put(task + static_cast<Address>(static_cast<std::int64_t>(image.task_finalized)),
                        static_cast<std::uint8_t>(image.task_finalized_mask));
    process.memory->put(task + coro, std::uint64_t{0});
  }
  std::uint64_t lost(std::uint32_t process_id = 0) const {
    std::uint64_t sum = 0;
    for (const Site& site : machine.sites(process_id)) sum += site.site.destroyed_pending;
    return sum;
  }
  std::uint64_t destroyed() const {
    std::uint64_t sum = 0;
    for (const Site& site : machine.sites()) sum += site.site.destroyed;
    return sum;
  }
  Machine machine;
  Process& process;
};

TEST_CASE("a task destroyed while it is pending is lost, by its reference count or by the collector") {
  for_each_line([](const python::LayoutRow& row) {
    Scene scene(row);
    Machine::destroy(scene.create());
    CHECK(scene.lost() == 1);
    const Address task = scene.create();
    scene.collect(task);
    Machine::destroy(task);
    CHECK(scene.lost() == 2);
    CHECK(Machine::dropped() == 0);
  });
}

TEST_CASE("one that has finished, or was cancelled, is not lost") {
  Scene scene(line(12));
  for (const std::uint32_t each : {finished, cancelled}) {
    const Address task = scene.create();
    scene.process.memory->put(task + state, each);
    Machine::destroy(task);
  }
  CHECK(scene.destroyed() == 2);
  CHECK(scene.lost() == 0);
}

TEST_CASE("one whose __init__ failed has no coroutine: nothing was lost") {
  for_each_line([](const python::LayoutRow& row) {
    Scene scene(row);
    const Address task = scene.create();
    scene.process.memory->put(task + coro, std::uint64_t{0});
    Machine::destroy(task);
    CHECK(scene.destroyed() == 1);
    CHECK(scene.lost() == 0);
  });
}

TEST_CASE("with the interpreter go its tasks: no Python function runs") {
  for_each_line([](const python::LayoutRow& row) {
    Scene scene(row);
    const Address task = scene.create(), other = scene.create();
    scene.process.python.run(scene.process.thread, 0);
    Machine::destroy(task);
    if (scene.process.python.has_entry_frames()) {
      scene.process.python.run(scene.process.thread, scene.process.python.entry_frame(0));
    }
    Machine::destroy(other);
    CHECK(scene.destroyed() == 2);
    CHECK(scene.lost() == 0);
  });
}

TEST_CASE("__init__ again on a living task does not destroy it") {
  Scene scene(line(12));
  const Address task = scene.create();
  Machine::create(scene.process, task);
  CHECK(scene.lost() == 0);
  Machine::destroy(task);
  CHECK(scene.lost() == 1);
}

TEST_CASE("a forked child has not lost its parent's tasks, but its own") {
  Scene scene(line(12));
  const Address task = scene.create();
  kernel().now_ns += second;
  Process& child = scene.machine.fork(scene.process, 101);
  const std::uint32_t id = Machine::process(101)->id;
  kernel().now_ns += second;
  Machine::run(child);
  Machine::destroy(task);
  CHECK(scene.lost(id) == 0);
  const Address own = child.memory->allocate(size);
  child.memory->put(own + coro, Machine::coroutine(child));
  child.memory->put(own + state, pending);
  Machine::create(child, own);
  Machine::destroy(own);
  CHECK(scene.lost(id) == 1);
  Machine::run(scene.process);
  Machine::destroy(task);
  CHECK(scene.lost() == 2);
}

TEST_CASE("a task from before counts at its site, once it is known which interpreter this is") {
  const bool known = GENERATE(true, false);
  Scene scene(line(13));
  const Address task = scene.process.memory->allocate(size);
  scene.process.memory->put(task + coro, Machine::coroutine(scene.process));
  scene.process.memory->put(task + state, pending);
  al_open_process opening{};
  opening.tgid = 100;
  opening.core = known ? Machine::core() : AL_NO_CORE;
  opening.bias = Python::bias;
  opening.looked_ns = kernel().now_ns;
  open_process(&opening);
  const Seeder seeder(100);
  seeder.begin();
  CHECK(seeder.seed({task}).inserted == 1);
  CHECK(seeder.end());
  Machine::destroy(task);
  CHECK(scene.destroyed() == 1);
  CHECK(scene.lost() == (known ? 1 : 0));
}

TEST_CASE("what was known of a process before it called exec is not believed") {
  Scene scene(line(13));
  al_open_process opening{};
  opening.tgid = 100;
  opening.core = Machine::core();
  opening.looked_ns = kernel().now_ns;
  kernel().now_ns += second;
  Machine::exec(scene.process);
  open_process(&opening);
  CHECK(Machine::process(100)->core == AL_NO_CORE);
}

TEST_CASE("where the state is not known nothing is said") {
  Scene scene(line(12));
  Machine::image().task_state = AL_ABSENT;
  Machine::destroy(scene.create());
  CHECK(scene.destroyed() == 1);
  CHECK(scene.lost() == 0);
}

}  // namespace
}  // namespace asyncleak::fake
