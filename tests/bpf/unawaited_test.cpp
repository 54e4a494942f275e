#include "machine.h"

namespace asyncleak::fake {
namespace {

constexpr std::uint16_t r15 = 0, rbp = 32, rbx = 40, rsi = 104, rdi = 112, rax = 80;

TEST_CASE("a never-awaited coroutine is counted by name, in whatever register it is") {
  for_each_line([](const python::LayoutRow& row) {
    Machine machine(row);
    auto& process = machine.start(100);
    const auto coroutine = Machine::coroutine(process, U"fetch");
    for (const auto where : {rbx, rbp, r15, rdi, rsi}) Machine::warn_unawaited(process, coroutine, where);
    const auto site = Machine::only_site();
    CHECK(site.site.created == 5);
    CHECK(site.site.key.stack == AL_STACK_UNAWAITED);
    CHECK(site.site.last_ns == kernel().now_ns);
    CHECK(text_of(site.origin.qualname) == U"fetch");
    CHECK(site.origin.depth == 0);
    const auto* code = Machine::code(process, site.origin.code, site.origin.print);
    REQUIRE(code != nullptr);
    CHECK(text_of(code->file) == U"/srv/app.py");
    CHECK(counted(AL_HITS_UNAWAITED) == 5);
    CHECK(records() == 0);
    CHECK(Machine::dropped() == 0);
  });
}

TEST_CASE("the first never-awaited coroutine of a process tells where its interpreter is, for its tasks too") {
  for_each_line([](const python::LayoutRow& row) {
    Machine machine(row);
    auto& process = machine.start(100);
    Machine::warn_unawaited(process, Machine::coroutine(process), rbx);
    const auto* known = Machine::process(100);
    REQUIRE(known != nullptr);
    CHECK(known->bias == Python::bias);
    Machine::create(process, 0x1000);
    CHECK(Machine::sites().size() == 2);
    Machine::warn_unawaited(process, Machine::coroutine(process, U"other"), rbx);
    CHECK(Machine::sites().size() == 3);
    CHECK(Machine::dropped() == 0);
  });
}

TEST_CASE("tasks and never-awaited coroutines of one function are apart") {
  Machine machine(line(11));
  auto& process = machine.start(100);
  const auto coroutine = Machine::coroutine(process);
  Machine::create(process, 0x1000, coroutine);
  Machine::warn_unawaited(process, coroutine, rbx);
  const auto sites = Machine::sites();
  REQUIRE(sites.size() == 2);
  CHECK(sites[0].site.created == 1);
  CHECK(sites[1].site.created == 1);
  Machine::destroy(0x1000);
  CHECK(Machine::sites()[0].site.destroyed == 1);
  CHECK(Machine::sites()[1].site.destroyed == 0);
}

TEST_CASE("what is no coroutine of this interpreter is not counted, and that is told") {
  Machine machine(line(13));
  auto& process = machine.start(100);
  auto& python = process.python;
  const auto coroutine = Machine::coroutine(process);
  const auto generator = python.coroutine(python.code({}), python.str(U"generator"), python.gen_type());
  Machine::warn_unawaited(process, generator, rbx);
  Machine::warn_unawaited(process, coroutine, rax);  // no register that a call keeps
  Machine::warn_unawaited(process, python.coroutine(python.str(U"no code"), python.str(U"fetch")), rbx);
  CHECK(Machine::sites().empty());
  CHECK(counted(AL_DROP_UNAWAITED) == 3);
  // A process known by another interpreter's address.
  Machine::warn_unawaited(process, coroutine, rbx);
  kernel().map("processes").find<al_process>(process.tgid)->bias += 0x1000;
  Machine::warn_unawaited(process, coroutine, rbx);
  CHECK(Machine::only_site().site.created == 1);
  CHECK(counted(AL_DROP_UNAWAITED) == 4);
}

TEST_CASE("a forked child counts its own never-awaited coroutines") {
  Machine machine(line(12));
  auto& parent = machine.start(100);
  const auto coroutine = Machine::coroutine(parent);
  Machine::warn_unawaited(parent, coroutine, rbx);
  auto& child = machine.fork(parent, 101);
  Machine::warn_unawaited(child, coroutine, rbx);
  Machine::warn_unawaited(child, coroutine, rbx);
  CHECK(Machine::sites(Machine::process(100)->id).front().site.created == 1);
  CHECK(Machine::sites(Machine::process(101)->id).front().site.created == 2);
}

TEST_CASE("processes that are not watched are not counted; a full site table is told") {
  Machine machine(line(14));
  auto& process = machine.start(100);
  al_only_watched = 1;
  Machine::warn_unawaited(process, Machine::coroutine(process), rbx);
  al_only_watched = 0;
  CHECK(Machine::process(100) == nullptr);
  const auto before = al_max_sites;
  al_max_sites = 1;
  Machine::warn_unawaited(process, Machine::coroutine(process), rbx);
  al_max_sites = before;
  CHECK(Machine::sites().empty());
  CHECK(counted(AL_DROP_SITES_FULL) == 1);
}

}  // namespace
}  // namespace asyncleak::fake
