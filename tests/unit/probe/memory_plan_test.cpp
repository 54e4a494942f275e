#include "probe/memory_plan.h"

#include "../elf/corpus.h"
#include "elf/c_allocator.h"
#include "elf/step_functions.h"
#include "elf/task_functions.h"
#include "probe/plan.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <vector>

namespace asyncleak::probe {
namespace {

namespace fs = std::filesystem;
using Probes = std::vector<MemoryProbe>;

std::vector<std::string> c_libraries() {
  std::vector<std::string> roots = {""};
  if (const char* fleet = std::getenv("ASYNCLEAK_FLEET")) {
    for (const auto& root : fs::directory_iterator(fleet)) roots.push_back(root.path());
  }
  std::vector<std::string> found;
  for (const auto& root : roots) {
    const std::string path = root + "/lib/x86_64-linux-gnu/libc.so.6";
    if (fs::exists(path)) found.push_back(path);
  }
  return found;
}

std::size_t count(const Probes& probes, MemoryProgram program) {
  return static_cast<std::size_t>(std::ranges::count(probes, program, &MemoryProbe::program));
}

std::ptrdiff_t first_of(const Probes& probes, MemoryProgram program) {
  return std::ranges::find(probes, program, &MemoryProbe::program) - probes.begin();
}

// struct pt_regs has 21 words.
void check_cookie(const MemoryProbe& probe) {
  CHECK(probe.cookie.memory == 0);
  CHECK(probe.cookie.first < 21);
  CHECK(probe.cookie.second < 21);
  CHECK(probe.cookie.padding == 0);
}

// Each that begins has its return, told apart by nothing but the cookie, at or before the place of the entry.
void check_pairs(const Probes& probes) {
  CHECK(count(probes, MemoryProgram::allocating) == count(probes, MemoryProgram::allocated));
  for (const auto& begin : probes) {
    if (begin.program != MemoryProgram::allocating) continue;
    const auto end = std::ranges::find_if(probes, [&](const MemoryProbe& each) {
      return each.program == MemoryProgram::allocated && each.cookie.call == begin.cookie.call &&
             each.file_offset <= begin.file_offset && begin.file_offset - each.file_offset < 64;
    });
    REQUIRE(end != probes.end());
    CHECK(end->at_return);
    CHECK_FALSE(begin.at_return);
    CHECK(end->cookie.object == begin.cookie.object);
  }
}

TEST_CASE("the C library: what frees is attached first, and every allocation has its end") {
  for (const auto& path : c_libraries()) {
    CAPTURE(path);
    const auto image = elf::Image::open(path);
    REQUIRE(image);
    const auto allocator = elf::find_c_allocator(*image);
    REQUIRE(allocator);
    const auto plan = plan_c_allocator(*image);
    REQUIRE(plan);
    const Probes& probes = plan->probes;
    CHECK(plan->allocator == allocator->kind);
    CHECK(count(probes, MemoryProgram::freeing) == 1);
    CHECK(first_of(probes, MemoryProgram::freeing) == 0);
    check_pairs(probes);
    for (const auto& probe : probes) {
      check_cookie(probe);
      CHECK(probe.cookie.object == 0);
    }
    const std::size_t inside = allocator->malloc_returns ? allocator->malloc_returns->whole.size() +
                                                               allocator->malloc_returns->before.size() +
                                                               allocator->malloc_returns->after.size()
                                                         : 0;
    CHECK(count(probes, MemoryProgram::passing_malloc) == inside);
    // Without free, and without malloc where places inside it do.
    CHECK(count(probes, MemoryProgram::allocating) == allocator->functions.size() - 1 - (inside > 0 ? 1 : 0));
  }
}

TEST_CASE("a cookie has the registers that hold the arguments at the place") {
  for (const auto& path : c_libraries()) {
    CAPTURE(path);
    const auto image = elf::Image::open(path);
    REQUIRE(image);
    const auto allocator = elf::find_c_allocator(*image);
    const auto plan = plan_c_allocator(*image);
    REQUIRE((allocator && plan));
    const Probes& probes = plan->probes;
    for (const auto& function : allocator->functions) {
      if (function.call == elf::AllocatorCall::malloc) continue;
      CAPTURE(function.name);
      const auto probe = std::ranges::find_if(probes, [&](const MemoryProbe& each) {
        return each.file_offset == function.entry.file_offset && !each.at_return;
      });
      REQUIRE(probe != probes.end());
      std::vector<std::uint8_t> words;
      for (const auto reg : function.entry.arguments)
        words.push_back(static_cast<std::uint8_t>(elf::pt_regs_offset(reg) / 8));
      words.resize(3);
      CHECK(std::vector<std::uint8_t>{probe->cookie.first, probe->cookie.second, probe->cookie.third} == words);
    }
  }
}

TEST_CASE("Python's own allocator: four functions, or why they cannot be counted") {
  for (const auto& path : elf::test::corpus()) {
    const auto image = elf::Image::open(path);
    if (!image || path.find("_asyncio.") != std::string::npos) continue;
    CAPTURE(path);
    const auto plan = plan_object_allocator(*image);
    if (!plan) {
      CHECK_FALSE(plan.error().message.empty());
      continue;
    }
    const Probes& probes = plan->probes;
    CHECK(count(probes, MemoryProgram::freeing) == 1);
    CHECK(count(probes, MemoryProgram::allocating) == 3);
    CHECK(probes.size() == 7);
    check_pairs(probes);
    for (const auto& probe : probes) {
      check_cookie(probe);
      CHECK(probe.cookie.object == 1);
    }
  }
}

TEST_CASE("a step's end is attached before its beginning, and only new interpreters start eagerly") {
  for (const auto& path : elf::test::corpus()) {
    const auto image = elf::Image::open(path);
    const auto steps = image ? elf::find_step_functions(*image) : fail("unreadable");
    if (!steps) continue;
    CAPTURE(path);
    const auto tasks = plan_probes(*image, path, "");
    REQUIRE(tasks);
    const auto plan = plan_steps(*image, tasks->init);
    REQUIRE(plan);
    const Probes& probes = plan->probes;
    CHECK(count(probes, MemoryProgram::step_entered) == 2);
    CHECK(count(probes, MemoryProgram::step_left) >= 2);
    CHECK(first_of(probes, MemoryProgram::step_left) < first_of(probes, MemoryProgram::step_entered));
    const bool eager = !image->find_string("eager_start").empty();
    CHECK(count(probes, MemoryProgram::eager_step_entered) == (eager ? 1 : 0));
    for (const auto& probe : probes) {
      check_cookie(probe);
      if (probe.program == MemoryProgram::step_left) CHECK(probe.at_return == (probe.cookie.call != AL_CALL_STEP_LEFT));
    }
    const auto offset_of = [&](const elf::StepFunction& step) {
      const auto probe = std::ranges::find_if(probes, [&](const MemoryProbe& each) {
        return each.program == MemoryProgram::step_entered && each.file_offset == step.place.file_offset;
      });
      REQUIRE(probe != probes.end());
      return probe->cookie.third * 8U;
    };
    CHECK(offset_of(steps->step) == steps->step.task_offset);
    CHECK(offset_of(steps->wakeup) == steps->wakeup.task_offset);
  }
}

}  // namespace
}  // namespace asyncleak::probe
