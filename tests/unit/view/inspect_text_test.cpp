#include "view/inspect_text.h"

#include "inspection_fixture.h"
#include "view/width.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <sstream>

using namespace asyncleak;

namespace {

std::string text(const Inspection& inspection, const InspectStyle& style = {}) {
  std::ostringstream out;
  write_inspection(out, inspection, style);
  return out.str();
}

bool contains(const std::string& all, std::string_view part) { return all.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("one process, whole") {
  CHECK("\n" + text(test::inspection(), {100, false, false}) == R"(
process 4242 app, Python 3.11.2
python3 app.py
Census  88,120 objects in 12ms, 9 tasks
Loop    _UnixSelectorEventLoop running: 1 ready, 3 timers
Memory  RSS 100MiB

Tasks: 9
Task-10  leaky_worker app.py:12  cancel requested, still alive  5m12s  holding 96.0MiB  0x10000
    waiting at /usr/lib/python3.11/asyncio/locks.py:213 Event.wait
               /srv/app.py:57 leaky_worker
    for        _asyncio.Future
    awaited by nobody
    created at app.py:31 handler
    locals     local_cache      list             12,034 items   96.0MiB
               Event.wait: fut  _asyncio.Future                  >=144B
    held by    set `background` of module app (5 items)
Task-11  leaky_worker app.py:12  cancel requested, still alive  5m11s  holding 96.0MiB  0x10100
Task-12  leaky_worker app.py:12  cancel requested, still alive  5m10s  holding 96.0MiB  0x10200
... 2 more alike, the youngest 5m08s
job "x"  job app.py:12  failed  >1m00s  0x9000
    awaited by not known
    exception  ValueError  512B  = bad
Task-1  main app.py:12  pending  0x1000
│   waiting at /srv/app.py:90 main
│   for        _asyncio._GatheringFuture
│   awaited by nobody
├─ Task-2  serve app.py:12  pending  0x2000
│      waiting at /usr/lib/python3.11/asyncio/streams.py:700 StreamReader.read
│                 /srv/app.py:30 serve
│      for        _asyncio.Future
│      awaited by gather Task-1
└─ Task-3  serve app.py:12  pending  0x3000

Coroutines never started: 12
       12  Feed.poll feed.py:77
           held by list `pending` of module app (12 items)

Async generators started and not finished: 3
        3  ticks feed.py:9
           stands at /srv/feed.py:14 ticks

Timers: 1,197
    1,197  Cache.expire cache.py:5, 2 of them cancelled

Ready callbacks: 1
        1  Future.set_result

Transports: 38
       38  HttpProtocol over _SelectorSocketTransport, 1.20MiB wait to be written
           10.0.0.1:5000 to 10.0.0.7:443, 38 of them, 1.20MiB

Queues: 1
   12,034  items in asyncio.Queue without a limit, 2 wait to put
           held by Bus.inbox

Locks, events and others that are waited for: 1
       12  wait for asyncio.Lock
)");
}

TEST_CASE("thousands of tasks alike are three and a number") {
  const std::string all = text(test::inspection(5000));
  CHECK(contains(all, "\nTasks: 5,004\n"));
  CHECK(contains(all, "\n... 4,997 more alike, the youngest "));
  CHECK(std::count(all.begin(), all.end(), '\n') < 60);
}

TEST_CASE("thousands of peers and queues are a few of them and a number") {
  Inspection inspection = test::inspection(1);
  inspection.transports.clear();
  for (std::uint64_t i = 0; i < 2000; ++i) {
    inspection.transports.push_back({"_SelectorSocketTransport", "Chat", "10.0.0.7:" + std::to_string(i), "", 1, i});
    inspection.queues.push_back({"asyncio.Queue", i, 0, 0, std::nullopt, {}});
  }
  CHECK(contains(text(inspection), R"(
Transports: 2,000
    2,000  Chat over _SelectorSocketTransport, 1.91MiB wait to be written
           to 10.0.0.7:1999, 1.95KiB
           to 10.0.0.7:1998, 1.95KiB
           to 10.0.0.7:1997, 1.95KiB
           ... 1,997 more

Queues: 2,001
   12,034  items in asyncio.Queue without a limit, 2 wait to put
           held by Bus.inbox
    1,999  items in asyncio.Queue
)"));
  CHECK(contains(text(inspection), "\n           ... 1,991 more\n"));
}

TEST_CASE("what waits in a circle is a deadlock, and said to be one") {
  Inspection inspection;
  inspection.tasks = {test::task(1, "left", "wait_for_right"), test::task(2, "right", "wait_for_left")};
  inspection.tasks[0].awaited_by = {{"task", 2, "right", ""}};
  inspection.tasks[1].awaited_by = {{"task", 1, "left", ""}};
  inspection.tasks_total = 2;
  CHECK(contains(text(inspection, {0, true, false}), R"(
left  wait_for_right app.py:12  pending  0x1
|   awaited by task right
`- right  wait_for_left app.py:12  pending  0x2
       waits for left above, which waits for it: a deadlock
)"));
}

TEST_CASE("waiters beside the one it stands below; those not known are said") {
  Inspection inspection;
  inspection.tasks = {test::task(1, "first", "a"), test::task(2, "both", "b")};
  inspection.tasks[1].awaited_by = {{"task", 1, "first", ""}, {"callback", 0, "", "Server.on_done"}};
  inspection.tasks[1].waiters_complete = false;
  const std::string all = text(inspection, {0, true, false});
  CHECK(contains(all, "    also by    callback: Server.on_done\n"));
  CHECK(contains(all, "               others, not known\n"));
}

TEST_CASE("a chain of tasks deeper than the screen is wide ends in a number") {
  Inspection inspection;
  for (std::uint64_t i = 1; i <= 1000; ++i) {
    inspection.tasks.push_back(test::task(i, "t" + std::to_string(i), "c"));
    if (i > 1) inspection.tasks.back().awaited_by = {{"task", i - 1, "", ""}};
  }
  const std::string all = text(inspection, {80, true, false});
  CHECK(contains(all, "`- ... 986 below"));
}

TEST_CASE("no line is wider than the terminal, and names cannot move its cursor") {
  Inspection inspection = test::inspection(20);
  inspection.tasks[0].name = "evil\033[2J\nname\xff";
  inspection.tasks[0].coroutine = "待機.とても長い名前の関数.処理する関数";
  inspection.process.cmdline = "python3\n-c";
  inspection.process.warnings = {"the census is incomplete because this is a long sentence that has to be wrapped"};
  for (const int width : {1, 7, 20, 40, 80, 200}) {
    const std::string all = text(inspection, {width, false, false});
    CHECK_FALSE(contains(all, "\033"));
    std::istringstream lines(all);
    for (std::string line; std::getline(lines, line);) CHECK(width_of(line) <= width);
  }
}

TEST_CASE("colour is around the words, not instead of them") {
  const std::string all = text(test::inspection(1), {0, false, true});
  CHECK(contains(all, "\033[1mTask-1\033[0m  main app.py:12\033[1m  pending\033[0m"));
}

TEST_CASE("what was left out and what is not sure") {
  Inspection inspection = test::inspection(1);
  inspection.tasks_total = 12'345;
  inspection.tasks_left_out = 12'000;
  inspection.process.census->complete = false;
  inspection.process.census->reasons = {"the process ended"};
  inspection.process.census->unknown_to_kernel = 2;
  const std::string all = text(inspection);
  CHECK(contains(all, "\nTasks: 12,345, 5 listed\n"));
  CHECK(contains(all, "\n... 12,000 more tasks are not listed (--limit)\n"));
  CHECK(contains(all, "5 tasks; 2 unknown to the kernel, 0 not found in memory; incomplete: the process ended\n"));
}

TEST_CASE("where a process runs stands in its title") {
  Inspection inspection = test::inspection();
  ProcessSample& process = inspection.process;
  const auto title = [&] { return text(inspection).substr(0, text(inspection).find('\n')); };
  process.unit = "shop.service";
  CHECK(title() == "process 4242 app, Python 3.11.2, shop.service");
  process.unit.clear();
  process.container = "4f0e5d2c9a1b";
  CHECK(title() == "process 4242 app, Python 3.11.2, container 4f0e5d2c9a1b");
  process.inside.runtime = "containerd";
  process.inside.pid = 7;
  CHECK(title() == "process 4242 app, Python 3.11.2, container 4f0e5d2c9a1b (containerd), there PID 7");
  process.inside.pod_uid = "1b2c3d4e-5f60";
  CHECK(contains(title(), ", pod 1b2c3d4e-5f60, container"));
  process.inside.pod = "web\n-0";
  process.inside.pod_namespace = "shop";
  CHECK(contains(title(), ", pod shop/web?-0, container"));
  process.container.clear();
  process.inside = {};
  process.inside.pid = 7;
  CHECK(title() == "process 4242 app, Python 3.11.2, there PID 7");
}
