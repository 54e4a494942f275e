// The memory modes as a whole: ages, time, and the end of threads and processes.
#include <map>
#include <memory>
#include <random>

#include "interleave.h"
#include "memory_machine.h"

namespace asyncleak::fake {
namespace {

constexpr Address block = 0x7f1000000010;
constexpr std::uint64_t slot_ns = 1ULL << AL_BYTE_SHIFT;
constexpr std::uint64_t most_bytes = (1ULL << AL_BYTE_BITS) - 1;

struct Scene {
  explicit Scene(std::uint32_t buckets = 64) : counted(line(11), buckets), thread(counted) {}

  void malloc(std::uint64_t size, Address address, std::uint64_t at_ns) {
    kernel().now_ns = at_ns;
    kernel().jiffies++;
    thread.pass(AL_CALL_MALLOC_RETURN, {address, size});
  }
  // Epoch and bytes of the slot of those born then.
  static std::pair<std::uint64_t, std::uint64_t> slot(std::uint64_t born_ns, int level) {
    const std::uint64_t epoch = born_ns >> (AL_BYTE_SHIFT + AL_BYTE_LEVEL_SHIFT * level);
    const auto& cohorts = Counted::counters(Counted::site(U"")).cohorts;
    const std::uint64_t word = cohorts[level][epoch % AL_BYTE_SLOTS];
    return {word >> AL_BYTE_BITS, word & most_bytes};
  }

  Counted counted;
  Caller thread;
};

using Slot = std::pair<std::uint64_t, std::uint64_t>;

TEST_CASE("bytes are counted in the slot of their birth, in every ring") {
  Scene scene;
  const std::uint64_t start = 1024 * slot_ns;
  scene.malloc(100, block, start);
  scene.malloc(10, block + 0x100, start + slot_ns / 2);
  scene.malloc(1, block + 0x200, start + slot_ns);
  CHECK(Scene::slot(start, 0) == Slot{1024, 110});
  CHECK(Scene::slot(start + slot_ns, 0) == Slot{1025, 1});
  CHECK(Scene::slot(start, 1) == Slot{64, 111});
  CHECK(Scene::slot(start, 2) == Slot{4, 111});
  kernel().now_ns = start + 20 * slot_ns;
  scene.thread.free(block);
  CHECK(Scene::slot(start, 0) == Slot{1024, 10});
  CHECK(Scene::slot(start, 2) == Slot{4, 11});
}

TEST_CASE("random births and deaths over many turns of the rings, against the blocks themselves") {
  Scene scene(256);
  std::mt19937_64 random(5);
  std::map<Address, std::pair<std::uint64_t, std::uint64_t>> alive;  // size, birth
  std::uint64_t now = 1000 * slot_ns;
  for (int i = 0; i < 20'000; i++) {
    now += random() % (slot_ns / 4);
    const Address address = block + 16 * (random() % 400);
    const auto known = alive.find(address);
    if (known != alive.end()) {
      scene.thread.free(address);
      alive.erase(known);
    } else {
      const std::uint64_t size = random() % 100'000;
      scene.malloc(size, address, now);
      alive.emplace(address, std::pair(size, now));
    }
    if (i % 97 != 0) continue;
    // A slot has what is left of the youngest epoch that was ever born into it.
    for (int level = 0; level < AL_BYTE_LEVELS; level++) {
      std::map<std::uint64_t, std::uint64_t> wanted;
      for (const auto& [at, each] : alive) wanted[Scene::slot(each.second, level).first] += 0;
      for (const auto& [at, each] : alive) {
        const std::uint64_t epoch = each.second >> (AL_BYTE_SHIFT + AL_BYTE_LEVEL_SHIFT * level);
        const auto found = wanted.find(epoch);
        if (found != wanted.end()) found->second += each.first;
      }
      for (const auto& [at, each] : alive) {
        const auto [epoch, bytes] = Scene::slot(each.second, level);
        REQUIRE(bytes == wanted[epoch]);
      }
    }
  }
  CHECK(alive.size() > 100);
}

TEST_CASE("a slot is taken over a turn later, and what dies of the turn before leaves it alone") {
  Scene scene;
  const std::uint64_t start = 1024 * slot_ns, later = start + AL_BYTE_SLOTS * slot_ns;
  scene.malloc(100, block, start);
  scene.malloc(10, block + 0x100, later);
  CHECK(Scene::slot(later, 0) == Slot{1024 + AL_BYTE_SLOTS, 10});
  scene.thread.free(block);
  CHECK(Scene::slot(later, 0) == Slot{1024 + AL_BYTE_SLOTS, 10});
  CHECK(Scene::slot(start, 1) == Slot{64, 0});
  // A birth told late: the younger one keeps the slot.
  scene.malloc(1, block + 0x200, start);
  CHECK(Scene::slot(later, 0) == Slot{1024 + AL_BYTE_SLOTS, 10});
  CHECK(Scene::slot(start, 1) == Slot{64, 1});
}

TEST_CASE("epochs go on from zero after two years") {
  Scene scene;
  const std::uint64_t start = (1ULL << (64 - AL_BYTE_BITS + AL_BYTE_SHIFT)) + 5 * slot_ns;
  scene.malloc(100, block, start);
  CHECK(Scene::slot(start & ((1ULL << 56) - 1), 0) == Slot{5, 100});
  scene.thread.free(block);
  CHECK(Scene::slot(start & ((1ULL << 56) - 1), 0) == Slot{5, 0});
}

TEST_CASE("a TiB and more has no age, and does not spoil that of others") {
  Scene scene;
  const std::uint64_t start = 1024 * slot_ns;
  scene.malloc(100, block, start);
  scene.malloc(most_bytes + 1, block + 0x100, start);
  CHECK(Scene::slot(start, 0) == Slot{1024, 100});
  scene.malloc(most_bytes - 100, block + 0x200, start);
  CHECK(Scene::slot(start, 0) == Slot{1024, most_bytes});
  scene.malloc(1, block + 0x300, start);
  CHECK(Scene::slot(start, 0) == Slot{1024, most_bytes});
  scene.thread.free(block + 0x100);
  scene.thread.free(block + 0x200);
  CHECK(Scene::slot(start, 0) == Slot{1024, 100});
  CHECK(Counted::total() == Balance{101, 2});
  scene.thread.free(block);
  scene.thread.free(block + 0x300);  // was never in it
  CHECK(Scene::slot(start, 0) == Slot{1024, 0});
  scene.malloc(most_bytes + 1, block, start + slot_ns);  // into a slot nobody has used
  CHECK(Scene::slot(start + slot_ns, 0) == Slot{0, 0});
}

TEST_CASE("a death of which the counters, cleared meanwhile, know no birth gives nobody an age") {
  Scene scene;
  scene.malloc(100, block, 1024 * slot_ns);
  Counted::counters(Counted::site(U"")) = {};
  scene.thread.free(block);
  CHECK(Scene::slot(1024 * slot_ns, 0) == Slot{0, 0});
}

TEST_CASE("two threads allocate and free for one site and line, changing over at every access: nothing is lost") {
  std::unique_ptr<Counted> counted;
  const auto run = [&](const std::vector<int>& turns) {
    counted = std::make_unique<Counted>(line(11), 1);
    Counted::memory().flags = AL_MEMORY_LINES;
    const Address callback = counted->function(U"on_data"), task = counted->new_task(U"work");
    const Address worker = counted->process.python.add_thread(counted->process.interpreter, Machine::pthread_of(101));
    counted->process.python.run(worker, counted->run_python({callback}));
    Caller threads[] = {Caller(*counted), Caller(*counted, 101)};
    for (Caller& each : threads) each.step(task, [&] { each.malloc(1000, 0); });
    threads[0].step(task, [&] { threads[0].malloc(1000, block + 0x1000); });
    const auto work = [&](Caller& thread, Address address) {
      return [&thread, task, address] {
        thread.step(task, [&] { thread.malloc(10, address); });
        thread.step(task, [&] { thread.malloc(100, address + 0x100); });
        thread.free(address);
      };
    };
    kernel().atomics_are_accesses = true;
    return interleave(work(threads[0], block), work(threads[1], block + 0x200), turns);
  };
  const Accesses most = run({0});
  // To the other thread and back, once: two changes more would be millions of schedules.
  for (int a = 0; a <= most.first; a++) {
    for (int b = 1; b <= most.second; b++) {
      CAPTURE(a, b);
      run({a, b});
      REQUIRE(Counted::balance(U"work") == Balance{1200, 3});
      REQUIRE(al_line_ids_used == 1);
      Counted::check_sound();
    }
  }
}

TEST_CASE("the clock is read once in a tick") {
  Scene scene;
  kernel().now_ns = 500 * second;
  scene.thread.pass(AL_CALL_MALLOC_RETURN, {block, 1});
  kernel().now_ns = 501 * second;
  scene.thread.pass(AL_CALL_MALLOC_RETURN, {block + 0x100, 10});
  kernel().jiffies++;
  scene.thread.pass(AL_CALL_MALLOC_RETURN, {block + 0x200, 100});
  for (const al_allocation& each : Counted::records()) {
    CHECK(each.born_ns == (each.size == 100 ? 501 : 500) * second);
  }
}

TEST_CASE("every 256th hit is timed, of every program") {
  Scene scene;
  kernel().clock_step_ns = 10;
  const Address task = scene.counted.new_task(U"work");
  const auto hits = GENERATE(0, 1, 2, 3, 4, 5, 6);
  const std::function<void()> traps[] = {
      [&] { scene.thread.enter(AL_CALL_MALLOC, {1}); },          [&] { scene.thread.leave(AL_CALL_MALLOC, 0); },
      [&] { scene.thread.pass(AL_CALL_MALLOC_RETURN, {0, 0}); }, [&] { scene.thread.free(block); },
      [&] { scene.thread.enter(AL_CALL_STEP, {task}); },         [&] { scene.thread.leave(AL_CALL_STEP); },
      [&] { scene.thread.enter(AL_CALL_EAGER, {task, 0, 0}); },
  };
  for (int i = 0; i < 255; i++) traps[hits]();
  CHECK(Counted::memory().timed_hits == 0);
  traps[hits]();
  CHECK(Counted::memory().hits == 256);
  CHECK(Counted::memory().timed_hits == 1);
  CHECK(Counted::memory().timed_ns == 10);
}

TEST_CASE("a process that is not counted any more is left alone, and so is one that never was") {
  Scene scene;
  scene.thread.malloc(100, block);
  Counted::memory().process = 0;
  const std::uint64_t hits = Counted::memory().hits;
  scene.thread.malloc(10, block + 0x100);
  scene.thread.free(block);
  CHECK(Counted::memory().hits == hits);
  CHECK(Counted::total() == Balance{100, 1});
  kernel().map("memories").resize(1);
  scene.thread.malloc(10, block + 0x100);
  CHECK(Counted::total() == Balance{100, 1});
}

TEST_CASE("exec ends the counting of the process, and of no other") {
  Scene scene;
  Process other = scene.counted.process;
  other.tgid = 200;
  Machine::memory_exec(other);
  CHECK(Counted::memory().process == scene.counted.id());
  Machine::memory_exec(scene.counted.process);
  CHECK(Counted::memory().process == 0);
  scene.thread.malloc(100, block);
  CHECK(Counted::total() == Balance{0, 0});
  const std::uint32_t beyond = AL_MAX_MEMORIES;
  kernel().map("memory_of").update(&other.tgid, &beyond, BPF_ANY);
  Machine::memory_exec(other);  // nothing there to end
}

TEST_CASE("a thread's exit removes what is known of it") {
  Scene scene;
  Caller other(scene.counted, 101);
  const Address task = scene.counted.new_task(U"work");
  scene.thread.enter(AL_CALL_STEP, {task});
  other.enter(AL_CALL_STEP, {task});
  CHECK(kernel().map("memory_threads").size() == 2);
  other.run();
  Machine::memory_thread_exit(scene.counted.process);
  CHECK(kernel().map("memory_threads").size() == 1);
  other.malloc(10, block);  // a new thread by that id
  scene.thread.malloc(100, block + 0x100);
  CHECK(Counted::balance(U"") == Balance{10, 1});
  CHECK(Counted::balance(U"work") == Balance{100, 1});
}

TEST_CASE("a thread whose id was another process's begins anew") {
  Scene scene;
  const Address task = scene.counted.new_task(U"work");
  scene.thread.enter(AL_CALL_STEP, {task});
  scene.counted.set_id(9);
  scene.thread.leave(AL_CALL_STEP);  // of the other one
  scene.thread.enter(AL_CALL_MALLOC, {100});
  scene.thread.leave(AL_CALL_MALLOC, block);
  CHECK(Counted::balance(U"") == Balance{100, 1});
  CHECK(Counted::balance(U"work") == Balance{0, 0});
}

TEST_CASE("what one thread allocates another one frees, and both are counted where they belong") {
  Scene scene;
  Caller other(scene.counted, 101);
  const Address first = scene.counted.new_task(U"first"), second_task = scene.counted.new_task(U"second");
  for (std::uint64_t i = 0; i < 100; i++) {
    scene.thread.step(first, [&] { scene.thread.malloc(10, block + 16 * i); });
    other.step(second_task, [&] { other.free(block + 16 * i); });
    other.step(second_task, [&] { other.malloc(1, block + 16 * i); });
  }
  CHECK(Counted::balance(U"first") == Balance{0, 0});
  CHECK(Counted::balance(U"second") == Balance{100, 100});
  CHECK(Counted::counters(Counted::site(U"first")).freed_bytes == 1000);
  Counted::check_sound();
}

}  // namespace
}  // namespace asyncleak::fake
