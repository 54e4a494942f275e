// Full maps and races: what is lost is counted, nothing is counted twice.
#include <cerrno>
#include <set>

#include "machine.h"

namespace asyncleak::fake {
namespace {

constexpr Address task = 0x7f5500001230;

TEST_CASE("when both tiers are full a task is counted, and its end is not seen") {
  for_each_line([](const python::LayoutRow& row) {
    Machine machine(row);
    kernel().map("recent_tasks").resize(2);
    kernel().map("tasks").resize(1);
    Process& process = machine.start(100);
    const Address args = process.python.tuple({machine.coroutine(process)});
    for (std::uint64_t i = 0; i < 5; i++) Machine::init(task + 0x100 * i, args, 0);
    CHECK(machine.only_site().site.created == 5);
    CHECK(machine.only_site().site.untracked == 2);
    CHECK(counted(AL_DROP_TASKS_FULL) == 2);
    CHECK(machine.process(100)->outstanding == 3);
    CHECK(al_spilled_tasks == 1);

    for (std::uint64_t i = 0; i < 5; i++) Machine::destroy(task + 0x100 * i);
    CHECK(machine.only_site().site.destroyed == 3);
    CHECK(machine.process(100)->destroyed_unknown == 2);
    CHECK(records() == 0);
    CHECK(al_spilled_tasks == 0);
    Machine::init(task, args, 0);
    CHECK(counted(AL_DROP_TASKS_FULL) == 2);
    CHECK(kernel().map("recent_tasks").size() == 1);
  });
}

TEST_CASE("Task.__init__ twice on a task of the second tier") {
  Machine machine(line(11));
  kernel().map("recent_tasks").resize(1);
  Process& process = machine.start(100);
  const Address args = process.python.tuple({machine.coroutine(process)});
  Machine::init(task, args, 0);
  Machine::init(task + 0x100, args, 0);
  Machine::destroy(task);  // room in the first tier
  Machine::init(task + 0x100, args, 0);
  CHECK(counted(AL_TASKS_REINITIALISED) == 1);
  CHECK(records() == 1);
  CHECK(al_spilled_tasks == 0);
  CHECK(machine.process(100)->outstanding == 1);
  CHECK(machine.only_site().site.created - machine.only_site().site.destroyed == 1);
}

TEST_CASE("when the sites are full, tasks of new ones are lost and known ones go on") {
  Machine machine(line(12));
  al_max_sites = 3;  // ids 1 and 2
  Process& process = machine.start(100);
  const Address known = machine.coroutine(process, U"known");
  machine.create(process, task, known);
  machine.create(process, task + 0x100);
  machine.create(process, task + 0x200);
  machine.create(process, task + 0x300);
  CHECK(counted(AL_DROP_SITES_FULL) == 2);
  CHECK(machine.sites().size() == 2);
  CHECK(records() == 2);
  machine.create(process, task + 0x400, known);
  CHECK(machine.sites()[0].site.created == 2);
  Machine::destroy(task + 0x200);
  CHECK(machine.process(100)->destroyed_unknown == 1);
}

TEST_CASE("a site's number that user space gives back is used again") {
  Machine machine(line(12));
  al_max_sites = 2;
  Process& process = machine.start(100);
  machine.create(process, task);
  const Site ended = machine.only_site();
  const auto id = ended.id;
  kernel().map("site_ids").erase(&ended.site.key);
  *kernel().map("sites").find<al_site>(id) = al_site{};
  kernel().map("origins").erase(&id);
  kernel().map("free_sites").push(&id);
  machine.create(process, task + 0x100, machine.coroutine(process, U"next"));
  CHECK(machine.only_site().id == id);
  CHECK(text_of(machine.only_site().origin.qualname) == U"next");
}

// What user space does for a process that ended: every site with its number is given back.
std::multiset<std::uint32_t> numbers_after_purge(std::uint32_t process) {
  std::multiset<std::uint32_t> numbers;
  std::uint32_t id = 0;
  for (std::uint32_t each = 1; each <= al_site_ids_used; each++) {
    if (kernel().map("sites").find<al_site>(each)->key.process == process) numbers.insert(each);
  }
  while (kernel().map("free_sites").pop(&id) == 0) numbers.insert(id);
  return numbers;
}

TEST_CASE("without memory for a site its number is not lost") {
  for (const char* map : {"origins", "site_ids"}) {
    CAPTURE(map);
    Machine machine(line(12));
    Process& process = machine.start(100);
    kernel().map(map).fail_next_update(-ENOMEM);
    machine.create(process, task);
    CHECK(counted(AL_DROP_SITES_FULL) == 1);
    CHECK(machine.sites().empty());
    CHECK(records() == 0);
    CHECK(kernel().map("free_sites").size() == 1);
    CHECK(numbers_after_purge(machine.process(100)->id) == std::multiset<std::uint32_t>{1});
  }
}

TEST_CASE("two threads that make the same site end up with one") {
  Machine machine(line(13, true));
  Process& process = machine.start(100);
  const Address args = process.python.tuple({machine.coroutine(process)});
  kernel().map("site_ids").before_next_update([&] { Machine::init(task + 0x100, args, 0); });
  Machine::init(task, args, 0);
  CHECK(machine.only_site().site.created == 2);
  CHECK(records() == 2);
  CHECK(machine.dropped() == 0);
  CHECK(numbers_after_purge(machine.process(100)->id) == std::multiset<std::uint32_t>{1, 2});
}

TEST_CASE("two threads that copy the same names lose nothing") {
  Machine machine(line(13, true));
  Process& process = machine.start(100);
  const Address code = process.python.code({});
  const Address one = process.python.tuple({process.python.coroutine(code, process.python.str(U"one"))});
  const Address two = process.python.tuple({process.python.coroutine(code, process.python.str(U"two"))});
  kernel().map("codes").before_next_update([&] { Machine::init(task + 0x100, two, 0); });
  Machine::init(task, one, 0);
  const auto sites = machine.sites();
  REQUIRE(sites.size() == 2);
  CHECK(text_of(machine.code(process, code, sites[0].origin.print)->name) == U"Service.spawn");
  CHECK(machine.dropped() == 0);
}

TEST_CASE("when the codes are full a name is missing, and nothing else") {
  Machine machine(line(11));
  kernel().map("codes").resize(1);
  Process& process = machine.start(100);
  machine.create(process, task);
  CHECK(counted(AL_DROP_CODES_FULL) == 2);  // both frames
  CHECK(text_of(machine.only_site().origin.qualname) == U"Service.spawn");
  CHECK(machine.only_site().origin.depth == 2);
  CHECK(machine.only_site().site.created == 1);
}

TEST_CASE("when the processes are full, another one's tasks are lost") {
  Machine machine(line(11));
  kernel().map("processes").resize(1);
  Process& first = machine.start(100);
  machine.create(first, task);
  Process& second_process = machine.start(200);
  machine.create(second_process, task);
  Machine::destroy(task);
  CHECK(counted(AL_DROP_PROCESSES_FULL) == 2);
  (void)machine.fork(first, 201);
  CHECK(counted(AL_DROP_PROCESSES_FULL) == 3);
  CHECK(machine.only_site().site.created == 1);
  CHECK(machine.process(100)->outstanding == 1);
}

TEST_CASE("threads beyond those remembered are searched for again") {
  Machine machine(line(12));
  kernel().map("threads").resize(2);
  Process& process = machine.start(100);
  const Address args = process.python.tuple({machine.coroutine(process)});
  for (std::uint32_t i = 1; i <= 4; i++) {
    process.python.run(process.python.add_thread(process.interpreter, Machine::pthread_of(i)), process.serve_frame);
  }
  for (std::uint32_t i = 0; i < 12; i++) {
    Machine::run(process, i % 4 + 1, Machine::pthread_of(i % 4 + 1));
    Machine::init(task + 0x100ULL * i, args, 0);
  }
  CHECK(machine.only_site().site.created == 12);
  CHECK(kernel().map("threads").size() == 2);
  CHECK(machine.dropped() == 0);
}

}  // namespace
}  // namespace asyncleak::fake
