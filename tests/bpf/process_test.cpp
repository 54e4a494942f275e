// Processes: fork, exec, exit, and those that are not watched.
#include "machine.h"

namespace asyncleak::fake {
namespace {

constexpr Address task = 0x7f5500001230;
constexpr std::uint32_t parent_tgid = 100, child_tgid = 101;

std::uint32_t id_of(std::uint32_t tgid) { return Machine::process(tgid)->id; }

std::uint64_t outstanding(const Site& site) {
  return site.site.created + site.site.inherited - site.site.destroyed - site.site.untracked;
}

TEST_CASE("a fork has its parent's tasks, and neither touches the other's") {
  for_each_line([](const python::LayoutRow& row) {
    Machine machine(row);
    kernel().map("recent_tasks").resize(3);  // the fourth goes to the second tier
    Process& parent = machine.start(parent_tgid);
    const Address args = parent.python.tuple({machine.coroutine(parent)});
    for (std::uint64_t i = 0; i < 5; i++) Machine::init(task + 0x100 * i, args, 0);
    REQUIRE(kernel().map("tasks").size() == 2);

    Process& child = machine.fork(parent, child_tgid);
    REQUIRE(machine.process(child_tgid) != nullptr);
    CHECK(machine.process(child_tgid)->parent == id_of(parent_tgid));
    CHECK(machine.process(child_tgid)->outstanding == 5);
    CHECK(records() == 10);
    const auto inherited = machine.sites(id_of(child_tgid));
    REQUIRE(inherited.size() == 1);
    CHECK(inherited[0].site.inherited == 5);
    CHECK(inherited[0].site.created == 0);
    CHECK(inherited[0].site.tgid == child_tgid);
    CHECK(text_of(inherited[0].origin.qualname) == U"Service.spawn");
    CHECK(inherited[0].origin.process == id_of(parent_tgid));  // whose codes name the frames
    CHECK(inherited[0].origin.depth == 2);

    Machine::run(child);
    for (std::uint64_t i = 0; i < 3; i++) Machine::destroy(task + 0x100 * i);
    machine.create(child, task, machine.coroutine(child, U"own"));
    CHECK(outstanding(machine.sites(id_of(child_tgid))[0]) == 2);
    CHECK(machine.sites(id_of(child_tgid)).size() == 2);
    CHECK(machine.process(child_tgid)->destroyed_unknown == 0);
    CHECK(outstanding(machine.sites(id_of(parent_tgid))[0]) == 5);
    CHECK(machine.process(parent_tgid)->outstanding == 5);

    Machine::run(parent);
    for (std::uint64_t i = 0; i < 5; i++) Machine::destroy(task + 0x100 * i);
    CHECK(outstanding(machine.sites(id_of(parent_tgid))[0]) == 0);
    CHECK(machine.process(child_tgid)->outstanding == 3);
    CHECK(machine.dropped() == 0);
  });
}

TEST_CASE("a fork of a fork") {
  Machine machine(line(13));
  Process& parent = machine.start(parent_tgid);
  machine.create(parent, task);
  Process& child = machine.fork(parent, child_tgid);
  Machine::run(child);
  (void)machine.fork(child, 102);
  const auto sites = machine.sites(id_of(102));
  REQUIRE(sites.size() == 1);
  CHECK(sites[0].site.inherited == 1);
  CHECK(sites[0].origin.process == id_of(parent_tgid));
  CHECK(machine.process(102)->parent == id_of(child_tgid));
}

TEST_CASE("a child that shares the memory inherits nothing") {
  Machine machine(line(13));
  Process& parent = machine.start(parent_tgid);
  machine.create(parent, task);
  (void)machine.fork(parent, child_tgid, true);
  CHECK(machine.process(child_tgid) == nullptr);
  CHECK(machine.sites().size() == 1);
  CHECK(records() == 1);
}

TEST_CASE("a new thread is no fork") {
  Machine machine(line(13));
  Process& parent = machine.start(parent_tgid);
  machine.create(parent, task);
  Machine::start_thread(parent);
  CHECK(records() == 1);
  CHECK(al_process_ids_used == 1);
  CHECK(machine.process(parent_tgid)->parent == 0);
  CHECK(machine.dropped() == 0);
}

TEST_CASE("inherited tasks that find no room are counted as lost") {
  Machine machine(line(12));
  kernel().map("recent_tasks").resize(3);
  kernel().map("tasks").resize(1);
  Process& parent = machine.start(parent_tgid);
  const Address args = parent.python.tuple({machine.coroutine(parent)});
  for (std::uint64_t i = 0; i < 3; i++) Machine::init(task + 0x100 * i, args, 0);
  (void)machine.fork(parent, child_tgid);
  CHECK(counted(AL_DROP_FORK) == 2);
  CHECK(machine.process(child_tgid)->outstanding == 1);
  CHECK(machine.sites(id_of(child_tgid))[0].site.inherited == 1);
}

TEST_CASE("inherited tasks without room for their site are counted as lost") {
  Machine machine(line(12));
  al_max_sites = 2;
  Process& parent = machine.start(parent_tgid);
  machine.create(parent, task);
  (void)machine.fork(parent, child_tgid);
  CHECK(counted(AL_DROP_FORK) == 1);
  CHECK(machine.process(child_tgid)->outstanding == 0);
  CHECK(records() == 1);
}

TEST_CASE("a process that ends is forgotten, and its number is another process later") {
  Machine machine(line(14));
  Process& process = machine.start(parent_tgid);
  machine.create(process, task);
  const auto old = id_of(parent_tgid);
  Machine::exit(process, 2);
  CHECK(machine.process(parent_tgid) != nullptr);  // two threads go on
  Machine::exit(process);
  CHECK(machine.process(parent_tgid) == nullptr);

  Process& next = machine.start(parent_tgid);
  Machine::destroy(task);  // not the old one's
  machine.create(next, task);
  CHECK(id_of(parent_tgid) != old);
  CHECK(machine.process(parent_tgid)->destroyed_unknown == 1);
  CHECK(machine.process(parent_tgid)->outstanding == 1);
  CHECK(outstanding(machine.sites(old)[0]) == 1);
  CHECK(machine.sites(id_of(parent_tgid)).size() == 1);
}

TEST_CASE("exec makes another process of it") {
  Machine machine(line(9));
  Process& process = machine.start(parent_tgid);
  machine.create(process, task);
  const auto old = id_of(parent_tgid);
  kernel().now_ns = 1234 * second;
  Machine::exec(process);
  CHECK(machine.process(parent_tgid) == nullptr);
  CHECK(*kernel().map("execs").find<std::uint64_t>(parent_tgid) == 1234 * second);
  machine.create(process, task);
  CHECK(id_of(parent_tgid) != old);
  CHECK(machine.process(parent_tgid)->outstanding == 1);
}

TEST_CASE("purging a process takes its records from both tiers and nobody else's") {
  Machine machine(line(11));
  kernel().map("recent_tasks").resize(3);
  Process& ends = machine.start(parent_tgid);
  Process& stays = machine.start(200);
  for (std::uint64_t i = 0; i < 3; i++) {
    machine.create(ends, task + 0x100 * i);
    machine.create(stays, task + 0x100 * i);
  }
  REQUIRE(kernel().map("tasks").size() == 3);
  const auto other = id_of(200);
  al_purge purge{id_of(parent_tgid), 0, 1, 1};
  Machine::exit(ends);
  purge_process(&purge);
  CHECK(purge.removed == 3);
  CHECK(records() == 3);
  CHECK(al_spilled_tasks == kernel().map("tasks").size());

  Machine::run(stays);
  for (std::uint64_t i = 0; i < 3; i++) Machine::destroy(task + 0x100 * i);
  CHECK(machine.process(200)->outstanding == 0);
  CHECK(machine.process(200)->destroyed_unknown == 0);
  CHECK(machine.sites(other).size() == 3);
  CHECK(records() == 0);
  CHECK(al_spilled_tasks == 0);
}

void watch(std::uint32_t tgid) {
  const std::uint8_t yes = 1;
  kernel().map("watched").update(&tgid, &yes, BPF_ANY);
}

TEST_CASE("of all processes only the watched tree is counted") {
  Machine machine(line(13));
  al_only_watched = 1;
  Process& stranger = machine.start(300);
  Process& parent = machine.start(parent_tgid);
  watch(parent_tgid);
  machine.create(stranger, task);
  machine.destroy(task);
  CHECK(machine.process(300) == nullptr);
  CHECK(machine.sites().empty());

  // Before its first task, and again for its own child.
  Process& child = machine.fork(parent, child_tgid);
  Machine::run(child);
  machine.create(child, task);
  CHECK(machine.only_site().site.tgid == child_tgid);
  Process& grandchild = machine.fork(child, 102);
  CHECK(machine.process(102)->outstanding == 1);

  // Exec keeps it watched, exit does not, nor does the number.
  Machine::exec(grandchild);
  machine.create(grandchild, task);
  CHECK(machine.process(102)->outstanding == 1);
  Machine::exit(grandchild);
  machine.create(grandchild, task);
  CHECK(machine.process(102) == nullptr);

  (void)machine.fork(stranger, 301);
  CHECK(kernel().map("watched").size() == 2);
  CHECK(machine.dropped() == 0);
}

TEST_CASE("a child by vfork or posix_spawn is watched too") {
  Machine machine(line(13));
  al_only_watched = 1;
  Process& parent = machine.start(parent_tgid);
  watch(parent_tgid);
  Process& child = machine.fork(parent, child_tgid, true);
  Machine::exec(child);
  Process& service = machine.start(child_tgid);
  machine.create(service, task);
  CHECK(machine.only_site().site.tgid == child_tgid);
}

}  // namespace
}  // namespace asyncleak::fake
