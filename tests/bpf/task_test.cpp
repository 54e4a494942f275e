#include "machine.h"

namespace asyncleak::fake {
namespace {

constexpr Address task = 0x7f5500001230;

TEST_CASE("a task is counted where it was created, with its names") {
  for_each_line([](const python::LayoutRow& row) {
    Machine machine(row);
    Process& process = machine.start(100);
    const bool copies = (row.layout.flags & AL_CODE_COPIES) != 0;
    kernel().comm = "uvicorn";

    machine.create(process, task);
    Site site = machine.only_site();
    CHECK(site.site.created == 1);
    CHECK(site.site.destroyed == 0);
    CHECK(site.site.first_ns == 1000 * second);
    CHECK(site.site.last_ns == 1000 * second);
    CHECK(site.site.tgid == 100);
    CHECK(std::string_view(reinterpret_cast<const char*>(site.site.comm)) == "uvicorn");
    CHECK(text_of(site.origin.qualname) == U"Service.spawn");
    CHECK(site.origin.flags == (copies ? AL_ORIGIN_NO_OFFSETS : 0));
    CHECK(site.origin.core == machine.process(100)->core);
    CHECK(site.origin.ready == 1);
    REQUIRE(site.origin.depth == 2);
    CHECK(site.origin.frames[0].code == process.serve_code);
    CHECK(site.origin.frames[1].code == process.main_code);
    if (!copies) {
      CHECK(site.origin.frames[0].offset == 60);
      CHECK(site.origin.frames[1].offset == 40);
    }

    const al_code* own = machine.code(process, site.origin.code, site.origin.print);
    const bool qualified = row.layout.code_qualname != AL_ABSENT;
    REQUIRE(own != nullptr);
    CHECK(text_of(own->name) == (qualified ? U"Service.spawn" : U"spawn"));
    CHECK(text_of(own->file) == U"/srv/app.py");
    CHECK(own->first_line == 7);
    CHECK(own->linetable_length == 4);
    CHECK(std::string_view(reinterpret_cast<const char*>(own->linetable), 4) == "\x04\x01\x08\x02");
    CHECK(own->ready == 1);
    const al_code* creator = machine.code(process, process.serve_code, site.origin.frames[0].print);
    REQUIRE(creator != nullptr);
    CHECK(text_of(creator->name) == (qualified ? U"Server.serve" : U"serve"));
    CHECK(text_of(creator->file) == U"/srv/server.py");

    CHECK(machine.process(100)->bias == Python::bias);
    CHECK(machine.process(100)->outstanding == 1);
    machine.destroy(task);
    site = machine.only_site();
    CHECK(site.site.destroyed == 1);
    CHECK(machine.process(100)->outstanding == 0);
    CHECK(machine.process(100)->destroyed_unknown == 0);
    CHECK(records() == 0);
    CHECK(machine.dropped() == 0);
    CHECK(counted(AL_HITS_INIT) == 1);
    CHECK(counted(AL_HITS_DEALLOC) == 1);
  });
}

TEST_CASE("many tasks of one line of code are one site") {
  for_each_line([](const python::LayoutRow& row) {
    Machine machine(row);
    Process& process = machine.start(100);
    const Address code = process.python.code({});
    const Address qualname = process.python.str(U"Service.spawn");
    for (std::uint64_t i = 0; i < 100; i++) {
      machine.create(process, task + 0x100 * i, process.python.coroutine(code, qualname));
    }
    for (std::uint64_t i = 0; i < 60; i++) machine.destroy(task + 0x100 * i);
    CHECK(machine.only_site().site.created == 100);
    CHECK(machine.only_site().site.destroyed == 60);
    CHECK(machine.process(100)->outstanding == 40);
    CHECK(records() == 40);
    CHECK(machine.dropped() == 0);
  });
}

TEST_CASE("another code object at a reused address is another site") {
  for_each_line([](const python::LayoutRow& row) {
    Machine machine(row);
    Process& process = machine.start(100);
    const Address code = process.python.code({}), qualname = process.python.str(U"Service.spawn");
    machine.create(process, task, process.python.coroutine(code, qualname));
    CodeText other;
    other.file = U"/srv/reloaded.py";
    process.python.code_at(code, other);
    machine.create(process, task + 0x100, process.python.coroutine(code, qualname));

    const auto sites = machine.sites();
    REQUIRE(sites.size() == 2);
    CHECK(sites[0].origin.code == sites[1].origin.code);
    CHECK(text_of(machine.code(process, code, sites[0].origin.print)->file) == U"/srv/app.py");
    CHECK(text_of(machine.code(process, code, sites[1].origin.print)->file) == U"/srv/reloaded.py");
  });
}

TEST_CASE("decorated closures, one code with several qualified names, are several sites") {
  Machine machine(line(11));
  Process& process = machine.start(100);
  const Address wrapper = process.python.code({});
  machine.create(process, task, process.python.coroutine(wrapper, process.python.str(U"fetch_user")));
  machine.create(process, task + 0x100, process.python.coroutine(wrapper, process.python.str(U"fetch_cart")));
  const auto sites = machine.sites();
  REQUIRE(sites.size() == 2);
  CHECK(text_of(sites[0].origin.qualname) == U"fetch_user");
  CHECK(text_of(sites[1].origin.qualname) == U"fetch_cart");
}

TEST_CASE("the coroutine can be given by keyword") {
  for_each_line([](const python::LayoutRow& row) {
    for (const Keys keys : {Keys::unicode, Keys::general}) {
      Machine machine(row);
      Process& process = machine.start(100);
      const Address loop = process.python.object(process.python.type("_UnixSelectorEventLoop"), 64);
      const Address name = process.python.str(U"worker");
      const Address kwds = process.python.dict({loop, name, machine.coroutine(process)}, keys);
      machine.init(task, process.python.tuple({}), kwds);
      CHECK(text_of(machine.only_site().origin.qualname) == U"Service.spawn");
      CHECK(machine.dropped() == 0);
    }
  });
}

TEST_CASE("a keyword dict without a coroutine leaves the task counted") {
  for_each_line([](const python::LayoutRow& row) {
    Machine machine(row);
    Process& process = machine.start(100);
    machine.init(task, process.python.tuple({}), process.python.dict({process.python.str(U"name")}, Keys::unicode));
    machine.init(task + 0x100, process.python.tuple({}), 0);
    CHECK(machine.only_site().site.created == 2);
    CHECK(counted(AL_DROP_ARGS_UNREADABLE) == 2);
  });
}

TEST_CASE("Task.__init__ on a living task ends its first life") {
  for_each_line([](const python::LayoutRow& row) {
    Machine machine(row);
    Process& process = machine.start(100);
    machine.create(process, task, machine.coroutine(process, U"first"));
    machine.create(process, task, machine.coroutine(process, U"second"));
    const auto sites = machine.sites();
    REQUIRE(sites.size() == 2);
    CHECK(sites[0].site.destroyed == 1);
    CHECK(sites[1].site.destroyed == 0);
    CHECK(counted(AL_TASKS_REINITIALISED) == 1);
    CHECK(machine.process(100)->outstanding == 1);
    machine.destroy(task);
    CHECK(machine.sites()[1].site.destroyed == 1);
    CHECK(machine.process(100)->outstanding == 0);
    CHECK(machine.dropped() == 0);
  });
}

TEST_CASE("a task from before us is destroyed without a site") {
  Machine machine(line(12));
  const Process& process = machine.start(100);
  machine.destroy(task);
  CHECK(machine.process(100)->destroyed_unknown == 1);
  CHECK(counted(AL_TASKS_DESTROYED_UNKNOWN) == 1);
  CHECK(machine.sites().empty());
  CHECK(machine.dropped() == 0);
  CHECK(process.tgid == 100);
}

TEST_CASE("what is not a coroutine is named by its type") {
  for_each_line([](const python::LayoutRow& row) {
    Machine machine(row);
    Process& process = machine.start(100);
    const Address cython = process.python.type("fetch.cython_coroutine");
    machine.create(process, task, process.python.object(cython, 120));
    Site site = machine.only_site();
    CHECK(text_of(site.origin.qualname) == U"fetch.cython_coroutine");
    CHECK((site.origin.flags & AL_ORIGIN_TYPE) != 0);
    CHECK(site.origin.print == 0);

    // A small object at the end of memory: fewer bytes than a coroutine has.
    const Address awaitable = process.python.type("Awaitable");
    const Address small = process.python.object(awaitable, row.layout.ob_type + 8U);
    process.memory->hide(small + row.layout.ob_type + 8U, 1);
    machine.create(process, task + 0x100, small);
    REQUIRE(machine.sites().size() == 2);
    CHECK(text_of(machine.sites()[1].origin.qualname) == U"Awaitable");
    CHECK(machine.dropped() == 0);
  });
}

TEST_CASE("a generator-based coroutine is named like a coroutine") {
  for_each_line([](const python::LayoutRow& row) {
    Machine machine(row);
    Process& process = machine.start(100);
    const Address name = process.python.str(U"legacy");
    machine.create(process, task, process.python.coroutine(process.python.code({}), name, process.python.gen_type()));
    CHECK(text_of(machine.only_site().origin.qualname) == U"legacy");
    CHECK((machine.only_site().origin.flags & AL_ORIGIN_TYPE) == 0);
    CHECK(machine.dropped() == 0);
  });
}

TEST_CASE("arguments are taken from the registers the plan names") {
  constexpr std::uint16_t last = 112;  // r15 ... rdi
  for (std::uint16_t self = 0; self <= last; self += 8) {
    CAPTURE(self);
    Machine machine(line(11));
    Process& process = machine.start(100);
    const Address args = process.python.tuple({machine.coroutine(process)});
    const auto args_at = static_cast<std::uint16_t>((self + 8) % (last + 8));
    std::uint64_t regs[last / 8 + 1] = {};
    regs[self / 8] = task;
    regs[args_at / 8] = args;
    auto* plan = kernel().map("binaries").find<al_binary>(Machine::binary());
    plan->init = {self, args_at, self, 0};
    plan->dealloc.self = self;
    task_init(regs);
    CHECK(kernel().map("recent_tasks").find<al_task>(al_task_key{task, 1, 0}) != nullptr);
    task_dealloc(regs);
    CHECK(machine.only_site().site.destroyed == 1);
  }
}

TEST_CASE("an image at fixed addresses has no bias") {
  Machine machine(line(8));
  Process& process = machine.start(100);
  const std::uint32_t core = kernel().map("binaries").find<al_binary>(Machine::binary())->cores[0];
  auto* layout = kernel().map("layouts").find<al_layout>(core);
  for (auto* symbol :
       {&layout->runtime, &layout->tuple_type, &layout->code_type, &layout->coro_type, &layout->gen_type}) {
    *symbol += Python::bias;
  }
  layout->position_independent = 0;
  machine.create(process, task);
  CHECK(machine.process(100)->bias == 0);
  CHECK(text_of(machine.only_site().origin.qualname) == U"Service.spawn");
}

TEST_CASE("of several candidate images the one that fits is taken") {
  Machine machine(line(13));
  Process& process = machine.start(100);
  auto* binary = kernel().map("binaries").find<al_binary>(Machine::binary());
  const std::uint32_t right = binary->cores[0], wrong = right + 1;
  al_layout other = *kernel().map("layouts").find<al_layout>(right);
  other.tuple_type += 0x18;  // no page-aligned bias
  kernel().map("layouts").update(&wrong, &other, BPF_ANY);
  binary->core_count = 1;
  binary->cores[0] = wrong;
  machine.create(process, task);
  CHECK(counted(AL_DROP_CORE) == 1);
  CHECK(machine.sites().empty());
  CHECK(records() == 0);

  binary->core_count = 2;
  binary->cores[1] = right;
  machine.create(process, task);
  CHECK(machine.process(100)->core == right);
  CHECK(machine.only_site().site.created == 1);
}

TEST_CASE("an event of an unknown image is counted as lost") {
  Machine machine(line(11));
  Process& process = machine.start(100);
  kernel().cookie = AL_MAX_BINARIES;
  machine.create(process, task);
  machine.destroy(task);
  CHECK(counted(AL_DROP_BINARY) == 2);
  CHECK(machine.process(100) == nullptr);
}

TEST_CASE("every 256th hit is timed") {
  Machine machine(line(11));
  Process& process = machine.start(100);
  kernel().clock_step_ns = 10;
  for (int i = 0; i < 512; i++) {
    machine.create(process, task);
    machine.destroy(task);
  }
  CHECK(counted(AL_HITS_INIT) == 512);
  CHECK(counted(AL_TIMED_HITS) == 4);
  CHECK(counted(AL_TIMED_NS) > 0);
}

}  // namespace
}  // namespace asyncleak::fake
