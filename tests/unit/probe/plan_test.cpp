#include "probe/plan.h"

#include <sys/user.h>
#include <algorithm>
#include <catch2/catch.hpp>
#include <cstddef>

namespace asyncleak::probe {

TEST_CASE("the kernel side is told where struct pt_regs has what was placed") {
  // user_regs_struct is pt_regs as user space is given it (ptrace.h of both).
  ProbePlan plan{};
  plan.init.arguments = {elf::Register::rbx, elf::Register::rsi, elf::Register::r12};
  plan.dealloc.arguments = {elf::Register::rdi};
  const al_binary wire = wire_binary(plan);
  CHECK(wire.init.self == offsetof(user_regs_struct, rbx));
  CHECK(wire.init.args == offsetof(user_regs_struct, rsi));
  CHECK(wire.init.kwds == offsetof(user_regs_struct, r12));
  CHECK(wire.dealloc.self == offsetof(user_regs_struct, rdi));
  CHECK(wire.core_count == 0);
  CHECK(wire.task_state == AL_ABSENT);
  CHECK(std::all_of(std::begin(wire.cores), std::end(wire.cores), [](auto core) { return core == 0; }));
}

TEST_CASE("a task's state is where the row of objects says") {
  al_binary wire{};
  add_task_state(wire, python::find_object_row(9, false)->layout);
  CHECK(wire.task_state == 80);
  CHECK(wire.task_coro == 152);
  CHECK(wire.task_finalized == -8);  // PyGC_Head._gc_prev
  CHECK(wire.task_finalized_mask == 1);
  add_task_state(wire, python::find_object_row(13, true)->layout);
  CHECK(wire.task_finalized == 11);  // PyObject.ob_gc_bits
  CHECK(wire.task_finalized_mask == 2);
}

TEST_CASE("a file without task functions is refused by its name") {
  const auto image = elf::Image::open("/proc/self/exe");
  REQUIRE(image);
  const auto plan = plan_probes(*image, "/srv/some.so", "");
  REQUIRE_FALSE(plan);
  CHECK_THAT(plan.error().message, Catch::StartsWith("/srv/some.so: "));
}

}  // namespace asyncleak::probe
