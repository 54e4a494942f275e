#include "view/batch.h"

#include "report_fixture.h"

#include <catch2/catch.hpp>
#include <sstream>

using namespace asyncleak;

namespace {

std::string batch(const Report& report, const TableOptions& options = {}) {
  std::ostringstream out;
  write_batch(out, report, options);
  return out.str();
}

}  // namespace

TEST_CASE("a frame, whole") {
  CHECK(batch(example_report()) ==
        R"(asyncleak-top - web1 2026-11-21T04:16:58.123Z up 3d04h, watching 2 processes for 5m32s
tasks: 420 outstanding, 2.00 created/s, 0.50 destroyed/s
probes: 2.50 hits/s, 650 ns a hit, 0% of one core
trust: exact, 1 process not observed, maps 0.1% full, 2 dropped (stack_unreadable 2)

LEAK task-leak: pid 42 Conn.waiter: 412 of 420 tasks created at app.py:31 by `handler` in the last 60 s are still pending; +1.4/s; oldest 4 min 58 s; all wait in `Event.wait` at app.py:44 (97% sure, for 4 min 31 s)
  hint: set the event when the connection closes

PID COMMAND  KIND COROUTINE   OUT PENDING DONE +/MIN NEW/s END/s OLDEST AGE p50 BYTES HELD VERDICT CONF CREATED CREATED AT
 42 app "x"? task Conn.waiter 412       -    - +84.0  2.00  0.50  4m58s   2m29s     -    - leak     97%   12.4k /srv/app.py:31 handler
 42 app "x"? task Pool.worker   8       -    -     0     0     0 >1h06m   1h06m     -    - steady     -       8 -

warning: pid 43 b�: asyncio is not loaded

)");
}

TEST_CASE("what memory shows of a process: a line a fact") {
  Report report = example_report();
  report.monotonic_ns = 10'000'000'000;
  ProcessSample& process = report.processes[0].process;
  process.comm = "app";
  CensusSample& census = process.census.emplace();
  census.taken_ns = 9'000'000'000;
  census.duration_s = 0.004;
  census.tasks = 420;
  LoopSample loop;
  loop.kind = "uvloop.loop.Loop";
  loop.unknown = "uvloop keeps them in C";
  process.loops = {loop};
  MemorySample& memory = process.memory.emplace();
  memory.mapped_bytes = 1U << 20;
  memory.swapped_bytes = 4096;
  memory.unknown = "no layout";
  CHECK(batch(report).find(R"(
census: pid 42 app: 1.0s ago, 4.0ms, 420 tasks = kernel's; 0 unknown, 0 not found
loop: pid 42 app: uvloop.loop.Loop: not known: uvloop keeps them in C
memory: pid 42 app: RSS 100MiB: 0B C heap, 1.00MiB mapped, 0B stacks, 0B files, 0B shared, 4.00KiB swapped out; small objects not known: no layout

warning: pid 43)") != std::string::npos);
}

TEST_CASE("the limit counts what it hides") {
  TableOptions options;
  options.limit = 1;
  options.sort = "outstanding";
  options.reversed = true;
  const std::string text = batch(example_report(), options);
  CHECK(text.find("Pool.worker") != std::string::npos);
  CHECK(text.find("Conn.waiter 4") == std::string::npos);
  CHECK(text.find("\n... and 1 more site\n") != std::string::npos);
}

TEST_CASE("a width cuts lines by characters, not bytes") {
  TableOptions options;
  options.width = 20;
  Report report;
  report.host =
      "w\xC3\xA9"
      "b";
  std::istringstream lines(batch(report, options));
  std::string first;
  std::getline(lines, first);
  CHECK(first ==
        "asyncleak-top - w\xC3\xA9"
        "b");  // and the blank that would be the twentieth
}

TEST_CASE("the first sample and an empty machine say so") {
  Report report;
  report.host = "web1";
  CHECK(batch(report) == R"(asyncleak-top - web1 1970-01-01T00:00:00.000Z up 0.0s, watching 0 processes for 0.0s
tasks: 0 outstanding, - created/s, - destroyed/s
probes: - hits/s, 0 ns a hit, - of one core
trust: nothing observed yet, maps 0% full, nothing dropped

no asyncio process yet

)");
  report.processes.emplace_back();
  CHECK(batch(report).find("\nno task created since attach\n") != std::string::npos);
}
