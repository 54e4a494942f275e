// --slow-step: which steps held their loop for too long, and how long.
#include "memory_machine.h"

namespace asyncleak::fake {
namespace {

constexpr std::uint64_t millisecond = 1'000'000, threshold = 100 * millisecond;

// A process whose steps are measured, and nothing else of it.
struct Measured : Counted {
  explicit Measured(const python::LayoutRow& row) : Counted(row), thread(*this) {
    memory().flags = AL_MEMORY_STEPS_ONLY;
    memory().slow_step_ns = threshold;
    thread.frame = 0x800;  // with the interpreter's frames between
  }
  static void pass(std::uint64_t milliseconds) { kernel().now_ns += milliseconds * millisecond; }
  static const al_site& at(const std::u32string& name) { return *kernel().map("sites").find<al_site>(site(name)); }
  void check(const std::u32string& name, std::uint64_t count, std::uint64_t longest_ms) const {
    INFO(machine.dropped());
    CHECK(at(name).slow_steps == count);
    CHECK(at(name).slow_longest_ns == longest_ms * millisecond);
  }
  Caller thread;
};

TEST_CASE("steps longer than the threshold count, with the longest") {
  for_each_line([](const python::LayoutRow& row) {
    Measured measured(row);
    const Address task = measured.new_task(U"work");
    for (const std::uint64_t ms : {5, 100, 101, 5, 300, 150}) {
      measured.thread.step(task, [ms] { Measured::pass(ms); });
      Measured::pass(1000);  // the loop waits
    }
    measured.check(U"work", 3, 300);
    CHECK(Machine::dropped() == 0);
  });
}

TEST_CASE("a step in a memory mode is measured by the same probes") {
  Measured measured(line(12));
  Counted::memory().flags = 0;
  const Address task = measured.new_task(U"work");
  measured.thread.step(task, [&] {
    measured.thread.malloc(1000, 0x7f1000000010);
    Measured::pass(200);
  });
  measured.check(U"work", 1, 200);
  CHECK(Counted::balance(U"work") == Balance{1000, 1});
  CHECK(Counted::memory().hits == 4);
}

TEST_CASE("without a threshold no step is measured") {
  Measured measured(line(12));
  Counted::memory().slow_step_ns = 0;
  measured.thread.step(measured.new_task(U"work"), [] { Measured::pass(200); });
  measured.check(U"work", 0, 0);
  CHECK(Machine::dropped() == 0);
}

TEST_CASE("a step within another one is measured on its own, and the outer lasts as long as both") {
  Measured measured(line(12));
  const Address outer = measured.new_task(U"outer"), inner = measured.new_task(U"inner"),
                quick = measured.new_task(U"quick");
  measured.thread.step(outer, [&] {
    Measured::pass(60);
    measured.thread.call(AL_CALL_EAGER, {inner, 0, measured.process.python.dict({measured.true_object}, Keys::unicode)},
                         0, [] { Measured::pass(120); });
    measured.thread.step(quick, [] { Measured::pass(1); });
  });
  measured.check(U"inner", 1, 120);
  measured.check(U"quick", 0, 0);
  measured.check(U"outer", 1, 181);
  CHECK(Machine::dropped() == 0);
}

TEST_CASE("a step whose end was not seen is not measured, and that is told") {
  Measured measured(line(12));
  const Address first = measured.new_task(U"first"), next = measured.new_task(U"next");
  SECTION("another one begins") {
    measured.thread.enter(AL_CALL_STEP, {first});
    measured.thread.leave_unseen();
    Measured::pass(3'600'000);
    measured.thread.step(next, [] { Measured::pass(200); });
  }
  SECTION("the one around it ends") {
    measured.thread.step(next, [&] {
      measured.thread.enter(AL_CALL_STEP, {first});
      measured.thread.leave_unseen();
      Measured::pass(200);
    });
  }
  SECTION("one ends around it that was not seen to begin") {
    measured.thread.enter(AL_CALL_FREE, {});  // a frame
    measured.thread.enter(AL_CALL_STEP, {first});
    measured.thread.leave_unseen();
    Measured::pass(3'600'000);
    measured.thread.leave(AL_CALL_STEP);
    measured.thread.step(next, [] { Measured::pass(200); });
  }
  measured.check(U"first", 0, 0);
  measured.check(U"next", 1, 200);
  CHECK(counted(AL_DROP_STEP) == 1);
}

TEST_CASE("nested deeper than is kept: not measured, and that is told") {
  Measured measured(line(12));
  const Address outer = measured.new_task(U"outer"), inner = measured.new_task(U"inner");
  for (int i = 0; i < AL_MAX_NESTED_STEPS; i++) measured.thread.enter(AL_CALL_STEP, {outer});
  measured.thread.step(inner, [] { Measured::pass(200); });
  for (int i = 0; i < AL_MAX_NESTED_STEPS; i++) measured.thread.leave(AL_CALL_STEP);
  measured.check(U"inner", 0, 0);
  measured.check(U"outer", AL_MAX_NESTED_STEPS, 200);
  CHECK(counted(AL_DROP_STEP) == 1);
}

TEST_CASE("a task from before is at the site of its kind") {
  for_each_line([](const python::LayoutRow& row) {
    Measured measured(row);
    measured.thread.step(measured.older_task(U"older"), [] { Measured::pass(200); });
    measured.check(U"older", 1, 200);
    CHECK(Measured::at(U"older").key.stack == AL_STACK_PREEXISTING);
  });
}

TEST_CASE("a step that left by a place inside") {
  Measured measured(line(12));
  measured.thread.enter(AL_CALL_STEP, {measured.new_task(U"work")});
  Measured::pass(200);
  measured.thread.pass(AL_CALL_STEP_LEFT, {});
  Measured::pass(200);
  measured.thread.pass(AL_CALL_STEP_LEFT, {});  // a second place on the same way
  measured.check(U"work", 1, 200);
  CHECK(Machine::dropped() == 0);
}

TEST_CASE("a slow step whose task cannot be read is told") {
  Measured measured(line(12));
  measured.thread.step(0x10, [] { Measured::pass(200); });
  CHECK(counted(AL_DROP_STEP) == 1);
}

TEST_CASE("two threads are apart") {
  Measured measured(line(13));
  Caller other(measured, 101);
  const Address first = measured.new_task(U"first"), next = measured.new_task(U"next");
  measured.thread.enter(AL_CALL_STEP, {first});
  Measured::pass(90);
  other.enter(AL_CALL_STEP, {next});
  Measured::pass(30);
  measured.thread.leave(AL_CALL_STEP);
  Measured::pass(50);
  other.leave(AL_CALL_STEP);
  measured.check(U"first", 1, 120);
  measured.check(U"next", 0, 0);
}

}  // namespace
}  // namespace asyncleak::fake
