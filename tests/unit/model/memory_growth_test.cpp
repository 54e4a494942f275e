#include "model/memory_growth.h"

#include "scenario.h"

#include <catch2/catch.hpp>

using namespace asyncleak;

namespace {

constexpr std::uint64_t mib = 1U << 20;

MemorySample service() {
  MemorySample memory;
  memory.arenas_bytes = 60 * mib;
  memory.small_objects_bytes = 50 * mib;
  memory.small_objects = 500'000;
  memory.c_heap_bytes = 10 * mib;
  memory.mapped_bytes = 20 * mib;
  memory.stacks_bytes = 1 * mib;
  memory.files_bytes = 9 * mib;
  return memory;
}

}  // namespace

TEST_CASE("memory grows where no small object is") {
  MemorySample now = service();
  now.c_heap_bytes += 201 * mib;
  now.arenas_bytes = *now.arenas_bytes + 8 * mib;
  now.small_objects_bytes = *now.small_objects_bytes + 8 * mib;
  now.stacks_bytes += 3 * mib;  // below a fiftieth
  CHECK(memory_growth(service(), now) ==
        "+212MiB: 201MiB in the C library's heap, 8.00MiB in Python's small objects (no small objects: blocks over 512 "
        "bytes, extension modules, or fragmentation)");
}

TEST_CASE("memory grows by objects, or by what they left behind") {
  MemorySample now = service();
  now.arenas_bytes = *now.arenas_bytes + 30 * mib;
  now.small_objects_bytes = *now.small_objects_bytes + 28 * mib;
  CHECK(
      memory_growth(service(), now) ==
      "+30.0MiB: 28.0MiB in Python's small objects, 2.00MiB in free blocks of Python's arenas (the program keeps more "
      "objects)");
  now.small_objects_bytes = 20 * mib;
  CHECK(memory_growth(service(), now) ==
        "+30.0MiB: 60.0MiB in free blocks of Python's arenas (fragmentation: few objects hold many pages)");
  // Of the objects 40 MiB are swapped out: what is resident of the arenas is the measure.
  now.small_objects_bytes = 130 * mib;
  CHECK(memory_growth(service(), now) ==
        "+30.0MiB: 40.0MiB in Python's small objects (the program keeps more objects)");
}

TEST_CASE("each other class has its words") {
  const MemorySample before = service();
  MemorySample now = before;
  SECTION("blocks") {
    now.mapped_bytes += 10 * mib;
    CHECK(memory_growth(before, now) ==
          "+10.0MiB: 10.0MiB in large anonymous blocks (no small objects: large buffers, or an allocator of an "
          "extension's own)");
  }
  SECTION("stacks") {
    now.stacks_bytes += 10 * mib;
    CHECK(memory_growth(before, now) == "+10.0MiB: 10.0MiB in stacks (more threads, or deeper ones)");
  }
  SECTION("files") {
    now.files_bytes += 10 * mib;
    CHECK(memory_growth(before, now) == "+10.0MiB: 10.0MiB in mapped files (files and images, no objects)");
  }
  SECTION("shared") {
    now.shared_bytes += 10 * mib;
    CHECK(memory_growth(before, now) == "+10.0MiB: 10.0MiB in shared memory (shared memory, no objects)");
  }
}

TEST_CASE("arenas that are not known are anonymous memory like any other") {
  MemorySample before = service(), now = service();
  before.arenas_bytes = before.small_objects_bytes = std::nullopt;
  before.mapped_bytes = 80 * mib;
  now.mapped_bytes += 7 * mib;
  CHECK(memory_growth(before, now) ==
        "+7.00MiB: 7.00MiB in anonymous memory (objects cannot be told from other memory there)");
}

TEST_CASE("memory that did not grow has no words") {
  MemorySample now = service();
  CHECK(memory_growth(service(), now).empty());
  now.c_heap_bytes += 5 * mib;
  now.mapped_bytes -= 6 * mib;
  CHECK(memory_growth(service(), now).empty());
}

TEST_CASE("the finding of grown memory says which part grew since the baseline") {
  Scenario scenario;
  const auto idle = [](Scenario&) {};
  ProcessSample& process = scenario.sample().processes[0];
  process.rss_bytes = 10 * mib;
  process.memory = MemorySample{};  // while it imports: no baseline
  (void)scenario.take();
  process.rss_bytes = 100 * mib;
  process.memory = std::nullopt;
  CHECK_FALSE(scenario.advance(10, idle).processes[0].memory_baseline);
  process.memory = service();
  CHECK(scenario.advance(1, idle).processes[0].memory_baseline->c_heap_bytes == 10 * mib);
  process.rss_bytes = 180 * mib;
  process.memory->c_heap_bytes += 80 * mib;
  const Report report = scenario.advance(1, idle);
  REQUIRE(report.findings.size() == 1);
  CHECK(report.findings[0].why ==
        "resident memory of app rose from 100MiB to 180MiB, 80% over its baseline (limit 50%); +80.0MiB: 80.0MiB in "
        "the C library's heap (no small objects: blocks over 512 bytes, extension modules, or fragmentation)");
}
