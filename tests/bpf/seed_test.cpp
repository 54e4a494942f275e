// Tasks from before the attach, one event after the other.
#include "machine.h"
#include "seeder.h"

namespace asyncleak::fake {
namespace {

constexpr Address task = 0x7f5500001230;
constexpr std::uint32_t tgid = 100, child_tgid = 101;

const al_site& site_at(std::uint32_t id) { return *kernel().map("sites").find<al_site>(id); }

std::vector<Address> addresses(std::uint64_t count) {
  std::vector<Address> all;
  for (std::uint64_t i = 0; i < count; i++) all.push_back(task + 0x100 * i);
  return all;
}

// What holds at any rest: every outstanding task has one record, and the other way round.
void check_sound(std::uint32_t process) {
  CHECK(outstanding(process) == in_cohorts(process));
  CHECK(records() == outstanding(0));
  std::uint64_t seeded = 0;
  kernel().map("tasks").for_each([&](void* key, void* value) {
    seeded += static_cast<const al_task_key*>(key)->seeded;
    CHECK(static_cast<const al_task*>(value)->unsure == 0);
    return 0;
  });
  CHECK(al_seeded_tasks == seeded);
  CHECK(al_spilled_tasks == kernel().map("tasks").size() - seeded);
}

TEST_CASE("tasks from before are counted at their site, and their end is") {
  for_each_line([](const python::LayoutRow& row) {
    Machine machine(row);
    Process& process = machine.start(tgid);
    const Seeder seeder(tgid);
    CHECK(machine.process(tgid)->id == seeder.process());
    CHECK(seeder.begin() == AL_UNSEEDED);
    const auto site = seeder.site();
    const auto old = addresses(10);
    const auto seeded = seeder.seed(old, site);
    CHECK(seeded.inserted == 10);
    CHECK(seeded.end == AL_SEED_ALL);
    CHECK(seeder.end() == AL_SEEDING);
    CHECK(machine.process(tgid)->seeding == AL_SEEDED);
    CHECK(site_at(site).inherited == 10);
    CHECK(site_at(site).created == 0);
    check_sound(seeder.process());

    machine.create(process, task + 0x10000);
    CHECK(outstanding(seeder.process()) == 11);
    for (const Address each : old) Machine::destroy(each);
    CHECK(site_at(site).destroyed == 10);
    CHECK(outstanding(seeder.process()) == 1);
    CHECK(machine.process(tgid)->destroyed_unknown == 0);
    CHECK(machine.process(tgid)->outstanding == 1);
    CHECK(al_seeded_tasks == 0);
    check_sound(seeder.process());
    CHECK(machine.dropped() == 0);
  });
}

TEST_CASE("what ended between the look and the seed is not counted") {
  Machine machine(line(12));
  (void)machine.start(tgid);
  const Seeder seeder(tgid);
  seeder.begin();
  Machine::destroy(task);
  CHECK(seeder.seed(addresses(2)).inserted == 1);
  CHECK(machine.process(tgid)->destroyed_unknown == 1);
  seeder.end();
  CHECK(kernel().map("set_aside").size() == 0);
  Machine::destroy(task + 0x100);
  CHECK(outstanding(0) == 0);
  check_sound(seeder.process());
}

TEST_CASE("what a probe saw created is not seeded, living or ended meanwhile") {
  for (const std::uint32_t first_tier : {8U, 1U}) {
    CAPTURE(first_tier);
    Machine machine(line(12));
    kernel().map("recent_tasks").resize(first_tier);
    Process& process = machine.start(tgid);
    const auto all = addresses(4);
    machine.create(process, all[0]);
    const Seeder seeder(tgid);
    seeder.begin();
    machine.create(process, all[1]);
    machine.create(process, all[2]);
    Machine::destroy(all[2]);
    CHECK(seeder.seed(all).inserted == 1);  // the last
    CHECK(outstanding(seeder.process()) == 3);
    seeder.end();
    check_sound(seeder.process());
    for (const std::size_t i : {0, 1, 3}) Machine::destroy(all[i]);
    CHECK(outstanding(seeder.process()) == 0);
    CHECK(machine.process(tgid)->destroyed_unknown == 0);
    check_sound(seeder.process());
  }
}

TEST_CASE("an address is used again after an old task's end") {
  Machine machine(line(12));
  Process& process = machine.start(tgid);
  const Seeder seeder(tgid);
  seeder.begin();
  Machine::destroy(task);
  machine.create(process, task);
  CHECK(seeder.seed({task}).inserted == 0);
  CHECK(outstanding(seeder.process()) == 1);
  Machine::destroy(task);
  CHECK(seeder.seed({task}).inserted == 0);
  CHECK(outstanding(seeder.process()) == 0);
  machine.create(process, task);
  seeder.end();
  CHECK(outstanding(seeder.process()) == 1);
  check_sound(seeder.process());
}

TEST_CASE("seeding twice, in one call, another one, at another site or later on, counts once") {
  Machine machine(line(12));
  (void)machine.start(tgid);
  const Seeder seeder(tgid);
  seeder.begin();
  CHECK(seeder.site() == seeder.site());
  CHECK(seeder.seed({task, task + 0x100, task}).inserted == 2);
  CHECK(seeder.seed({task}, seeder.site(2)).inserted == 0);
  seeder.end();
  seeder.begin();
  CHECK(seeder.seed({task, task + 0x200}).inserted == 1);
  seeder.end();
  CHECK(outstanding(seeder.process()) == 3);
  check_sound(seeder.process());
}

TEST_CASE("Task.__init__ on a living task from before ends its first life") {
  Machine machine(line(12));
  Process& process = machine.start(tgid);
  const Seeder seeder(tgid);
  seeder.begin();
  seeder.seed({task});
  seeder.end();
  machine.create(process, task);
  CHECK(counted(AL_TASKS_REINITIALISED) == 1);
  CHECK(outstanding(seeder.process()) == 1);
  CHECK(machine.process(tgid)->outstanding == 1);
  check_sound(seeder.process());
  Machine::destroy(task);
  CHECK(outstanding(seeder.process()) == 0);
  CHECK(machine.process(tgid)->destroyed_unknown == 0);
}

TEST_CASE("without room to set tasks aside seeding is void, and begun again it is whole") {
  Machine machine(line(12));
  kernel().map("set_aside").resize(1);
  (void)machine.start(tgid);
  const auto all = addresses(5);
  const Seeder seeder(tgid);
  seeder.begin();
  CHECK(seeder.seed({all[0]}).inserted == 1);
  Machine::destroy(all[1]);
  Machine::destroy(all[2]);
  CHECK(counted(AL_DROP_SET_ASIDE_FULL) == 1);
  CHECK(machine.process(tgid)->seeding == AL_SEEDING_LOST);
  Machine::destroy(all[3]);
  const auto refused = seeder.seed(all);
  CHECK(refused.end == AL_SEED_NOT_SEEDING);
  CHECK(refused.inserted == 0);
  CHECK(seeder.end() == AL_SEEDING_LOST);
  CHECK(machine.process(tgid)->seeding == AL_UNSEEDED);
  CHECK(outstanding(seeder.process()) == 1);

  seeder.begin();
  CHECK(seeder.seed({all[0], all[4]}).inserted == 1);
  seeder.end();
  CHECK(machine.process(tgid)->seeding == AL_SEEDED);
  CHECK(outstanding(seeder.process()) == 2);
  CHECK(counted(AL_DROP_SET_ASIDE_FULL) == 1);
  check_sound(seeder.process());
}

TEST_CASE("older tasks that find no room are counted as lost") {
  Machine machine(line(12));
  kernel().map("tasks").resize(2);
  (void)machine.start(tgid);
  const Seeder seeder(tgid);
  seeder.begin();
  const auto seeded = seeder.seed(addresses(5));
  CHECK(seeded.end == AL_SEED_FULL);
  CHECK(seeded.inserted == 2);
  CHECK(counted(AL_DROP_SEEDS_FULL) == 3);
  CHECK(outstanding(seeder.process()) == 2);
  check_sound(seeder.process());
}

TEST_CASE("a site of another process, or none, takes no tasks") {
  Machine machine(line(12));
  (void)machine.start(tgid);
  const Seeder seeder(tgid), other(200);
  seeder.begin();
  CHECK(seeder.seed({task}, other.site()).end == AL_SEED_NO_SITE);
  CHECK(seeder.seed({task}, 77).end == AL_SEED_NO_SITE);
  CHECK(records() == 0);
}

TEST_CASE("not before it is begun, and not after it is ended") {
  Machine machine(line(12));
  (void)machine.start(tgid);
  const Seeder seeder(tgid);
  CHECK(seeder.seed({task}).end == AL_SEED_NOT_SEEDING);
  Machine::destroy(task);
  CHECK(kernel().map("set_aside").size() == 0);
  seeder.begin();
  seeder.end(AL_UNSEEDED);
  CHECK(seeder.seed({task}).end == AL_SEED_NOT_SEEDING);
  CHECK(records() == 0);
}

TEST_CASE("a process is opened once, whoever was first") {
  Machine machine(line(12));
  Process& process = machine.start(tgid);
  machine.create(process, task);
  const Seeder seeder(tgid), again(tgid);
  CHECK(seeder.process() == machine.process(tgid)->id);
  CHECK(again.process() == seeder.process());

  Process& other = machine.start(200);
  const Seeder first(200);
  machine.create(other, task);  // finds out which interpreter it runs
  CHECK(machine.process(200)->id == first.process());
  CHECK(machine.process(200)->bias == Python::bias);
  CHECK(outstanding(first.process()) == 1);

  al_only_watched = 1;
  CHECK(Seeder(300).process() == 0);
  CHECK(machine.process(300) == nullptr);
}

TEST_CASE("the sites of tasks by their address, from both tiers") {
  Machine machine(line(12));
  kernel().map("recent_tasks").resize(1);
  Process& process = machine.start(tgid);
  const auto all = addresses(4);
  const Address args = process.python.tuple({machine.coroutine(process)});
  Machine::init(all[0], args, 0);
  Machine::init(all[1], args, 0);
  const Seeder seeder(tgid);
  seeder.begin();
  const auto old = seeder.site();
  seeder.seed({all[2]}, old);
  CHECK(seeder.sites_of(all) == std::vector<std::uint32_t>{1, 1, old, 0});
  CHECK(Seeder(200).sites_of(all) == std::vector<std::uint32_t>(4, 0));
}

TEST_CASE("a fork inherits older tasks; its parent's seeding is not its own") {
  Machine machine(line(12));
  Process& parent = machine.start(tgid);
  const auto all = addresses(4);
  const Seeder seeder(tgid);
  seeder.begin();
  seeder.seed({all[0], all[1]});
  (void)machine.fork(parent, child_tgid);
  Machine::run(parent);
  CHECK(machine.process(child_tgid)->seeding == AL_UNSEEDED);
  const Seeder child(child_tgid);
  CHECK(outstanding(child.process()) == 2);
  Machine::destroy(all[0]);  // of the parent: nothing to the child
  child.begin();
  CHECK(child.seed(all).inserted == 2);
  child.end();
  CHECK(outstanding(child.process()) == 4);
  seeder.seed({all[2], all[3]});
  seeder.end();
  CHECK(outstanding(seeder.process()) == 3);
  CHECK(kernel().map("set_aside").size() == 0);

  Process& late = machine.fork(parent, 102);
  const Seeder late_child(102);
  CHECK(machine.process(102)->seeding == AL_SEEDED);
  CHECK(outstanding(late_child.process()) == 3);
  CHECK(machine.sites(late_child.process()).front().origin.flags == AL_ORIGIN_PREEXISTING);
  Machine::run(late);
  for (std::size_t i = 1; i < 4; i++) Machine::destroy(all[i]);
  CHECK(outstanding(late_child.process()) == 0);
  CHECK(machine.process(102)->destroyed_unknown == 0);
  check_sound(child.process());
}

TEST_CASE("exec ends seeding, and a purge removes what it had") {
  Machine machine(line(12));
  Process& process = machine.start(tgid);
  const auto all = addresses(3);
  const Seeder seeder(tgid);
  seeder.begin();
  seeder.seed({all[0]});
  Machine::destroy(all[1]);
  machine.create(process, task + 0x1000);
  Machine::exec(process);
  CHECK(seeder.seed({all[2]}).end == AL_SEED_NOT_SEEDING);
  CHECK(seeder.end() == AL_SEEDING_GONE);
  const Seeder next(tgid);
  CHECK(next.process() != seeder.process());
  CHECK(seeder.begin() == AL_SEEDING_GONE);
  next.begin();
  CHECK(next.seed({all[0]}).inserted == 1);
  next.end();

  al_purge purge{seeder.process(), 0, 1, 1};
  purge_process(&purge);
  CHECK(purge.removed == 2);
  CHECK(records() == 1);
  CHECK(al_seeded_tasks == 1);
  CHECK(kernel().map("set_aside").size() == 0);
  CHECK(outstanding(next.process()) == 1);
}

}  // namespace
}  // namespace asyncleak::fake
