// Birth cohorts: every task in the slot of its birth, in every ring.
#include "machine.h"

namespace asyncleak::fake {
namespace {

constexpr Address task = 0x7f5500001230;
constexpr std::uint64_t slot_ns = AL_COHORT_FIRST_NS;

// A slot of the only site: its epoch and how many of those born in it are left.
struct Slot {
  std::uint32_t epoch, count;
  bool operator==(const Slot&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Slot& slot) {
  return out << "epoch " << slot.epoch << ": " << slot.count;
}

std::uint32_t epoch_of(std::uint64_t born_ns, int level) {
  return static_cast<std::uint32_t>(born_ns >> (AL_COHORT_SHIFT + level * AL_COHORT_LEVEL_SHIFT));
}

Slot slot(std::uint64_t born_ns, int level) {
  const std::uint64_t word = Machine::only_site().site.cohorts[level][epoch_of(born_ns, level) % AL_COHORT_SLOTS];
  return {static_cast<std::uint32_t>(word >> 32), static_cast<std::uint32_t>(word)};
}

struct Scene {
  Scene() : machine(line(11)), process(machine.start(100)), args(process.python.tuple({machine.coroutine(process)})) {}

  void born(std::uint64_t number, std::uint64_t at_ns) const {
    kernel().now_ns = at_ns;
    Machine::init(task + 0x100 * number, args, 0);
  }
  static void dies(std::uint64_t number, std::uint64_t at_ns) {
    kernel().now_ns = at_ns;
    Machine::destroy(task + 0x100 * number);
  }

  Machine machine;
  Process& process;
  Address args;
};

TEST_CASE("births and deaths are counted in the slot of the birth, in every ring") {
  const Scene scene;
  const std::uint64_t start = 1000 * slot_ns;
  scene.born(1, start);
  scene.born(2, start + slot_ns / 2);
  scene.born(3, start + slot_ns);
  CHECK(slot(start, 0) == Slot{1000, 2});
  CHECK(slot(start + slot_ns, 0) == Slot{1001, 1});
  for (int level = 1; level < AL_COHORT_LEVELS; level++) CHECK(slot(start, level) == Slot{epoch_of(start, level), 3});

  Scene::dies(1, start + 20 * slot_ns);
  CHECK(slot(start, 0) == Slot{1000, 1});
  CHECK(slot(start + 20 * slot_ns, 0) == Slot{0, 0});
  for (int level = 1; level < AL_COHORT_LEVELS; level++) CHECK(slot(start, level) == Slot{epoch_of(start, level), 2});
}

TEST_CASE("a slot is taken over a turn later, and its old task's death leaves it alone") {
  const Scene scene;
  const std::uint64_t start = 1000 * slot_ns, turn = AL_COHORT_SLOTS * slot_ns;
  scene.born(1, start);
  scene.born(2, start + turn);
  CHECK(slot(start, 0) == Slot{1000 + AL_COHORT_SLOTS, 1});
  CHECK(slot(start, 1) == Slot{125, 1});  // 8 s, not turned yet
  Scene::dies(1, start + turn + 1);
  CHECK(slot(start, 0) == Slot{1000 + AL_COHORT_SLOTS, 1});
  CHECK(slot(start, 1) == Slot{125, 0});
  Scene::dies(2, start + turn + 2);
  CHECK(slot(start, 0) == Slot{1000 + AL_COHORT_SLOTS, 0});
}

TEST_CASE("a task that outlives every ring is still counted as outstanding") {
  const Scene scene;
  const std::uint64_t start = 1000 * slot_ns, coarsest = slot_ns << (AL_COHORT_LEVEL_SHIFT * (AL_COHORT_LEVELS - 1));
  const std::uint64_t later = start + AL_COHORT_SLOTS * coarsest;
  scene.born(1, start);
  scene.born(2, later);
  for (int level = 0; level < AL_COHORT_LEVELS; level++) CHECK(slot(later, level) == Slot{epoch_of(later, level), 1});
  Scene::dies(1, later + 1);
  for (int level = 0; level < AL_COHORT_LEVELS; level++) CHECK(slot(later, level) == Slot{epoch_of(later, level), 1});
  CHECK(Machine::only_site().site.created == 2);
  CHECK(Machine::only_site().site.destroyed == 1);
  CHECK(Machine::dropped() == 0);
}

TEST_CASE("a task whose end will not be seen has no age") {
  const Scene scene;
  kernel().map("recent_tasks").resize(0);
  kernel().map("tasks").resize(0);
  scene.born(1, 1000 * slot_ns);
  CHECK(Machine::only_site().site.untracked == 1);
  for (int level = 0; level < AL_COHORT_LEVELS; level++) CHECK(slot(1000 * slot_ns, level).count == 0);
}

TEST_CASE("inherited tasks keep their birth") {
  Scene scene;
  const std::uint64_t start = 1000 * slot_ns;
  scene.born(1, start);
  kernel().now_ns = start + 5 * slot_ns;
  const Process& child = scene.machine.fork(scene.process, 101);
  const auto sites = Machine::sites(Machine::process(child.tgid)->id);
  REQUIRE(sites.size() == 1);
  for (int level = 0; level < AL_COHORT_LEVELS; level++) {
    const std::uint64_t epoch = epoch_of(start, level);
    CHECK(sites[0].site.cohorts[level][epoch % AL_COHORT_SLOTS] == (epoch << 32 | 1));
  }
}

TEST_CASE("of inherited tasks a turn apart the younger one keeps the slot, in whatever order they come") {
  Scene scene;
  const std::uint64_t start = 1000 * slot_ns, turn = AL_COHORT_SLOTS * slot_ns;
  scene.born(2, start);  // records are visited by address
  scene.born(1, start + turn);
  const Process& child = scene.machine.fork(scene.process, 101);
  const auto word = [&] {
    return Machine::sites(Machine::process(child.tgid)->id).at(0).site.cohorts[0][1000 % AL_COHORT_SLOTS];
  };
  CHECK(word() == ((1000ULL + AL_COHORT_SLOTS) << 32 | 1));
  Machine::run(child);
  Scene::dies(2, start + turn + 1);
  CHECK(word() == ((1000ULL + AL_COHORT_SLOTS) << 32 | 1));
  CHECK(Machine::dropped() == 0);
}

}  // namespace
}  // namespace asyncleak::fake
