#include "census/snapshot.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>

#include "census/grouping.h"
#include "census/holders.h"
#include "census/task_detail.h"
#include "live_python.h"

namespace asyncleak::census {
namespace {

const char* const script = R"py(
import asyncio, gc, json, sys
background = set()
class Manager:
    def __init__(self):
        self.jobs = []
manager = Manager()
async def worker(gate):
    local_cache = ['x' * 100 for _ in range(300)]
    await gate.wait()
async def quick():
    return [1, 2, 3]
async def broken():
    raise ValueError('broken')
async def never():
    pass
async def rows():
    yield 1
    yield 2
def tick():
    pass
async def main():
    gate = asyncio.Event()
    tasks = [asyncio.ensure_future(worker(gate)) for _ in range(50)]
    background.add(tasks[0])
    manager.jobs.extend(asyncio.ensure_future(quick()) for _ in range(20))
    failed = [asyncio.ensure_future(broken()) for _ in range(3)]
    cancelled = [asyncio.ensure_future(worker(gate)) for _ in range(4)]
    await asyncio.sleep(0)
    for task in cancelled:
        task.cancel()
    await asyncio.sleep(0)
    [task.exception() for task in failed]
    unstarted = [never() for _ in range(13)]
    generators = [rows() for _ in range(7)]
    for generator in generators[:5]:
        await generator.__anext__()
    loop = asyncio.get_running_loop()
    timers = [loop.call_later(3600, tick) for _ in range(11)]
    timers[0].cancel()
    queue = asyncio.Queue(5)
    queue.put_nowait('item')
    gc.collect()
    print(json.dumps({'held': id(tasks[0]), 'job': id(manager.jobs[0]),
        'tracked': len(gc.get_objects()), 'queue': id(queue)}), flush=True)
    sys.stdin.read()
    for coroutine in unstarted:
        coroutine.close()
asyncio.run(main())
)py";

struct Counted {
  std::map<TaskState, int> states;
  explicit Counted(const Snapshot& snapshot) {
    for (const auto& task : snapshot.tasks) states[task.state]++;
  }
};

TEST_CASE("a scan finds every object of asyncio in its state") {
  on_each_interpreter(script, [](LivePython& live) {
    Readers readers(&live.heap());
    const auto snapshot = take_snapshot(live.heap(), readers);
    REQUIRE(snapshot);
    auto counted = Counted(*snapshot);
    CHECK(counted.states[TaskState::pending] == 51);  // and main
    CHECK(counted.states[TaskState::finished] == 20);
    CHECK(counted.states[TaskState::failed] == 3);
    CHECK(counted.states[TaskState::cancelled] == 4);
    CHECK(snapshot->unstarted.size() == 13);
    CHECK(snapshot->asyncgens.size() == 5);
    CHECK(snapshot->queues == std::vector<std::uint64_t>{live.id("queue")});
    CHECK(snapshot->reasons().empty());
    // What the collector tracks, and little else: an array can look like an object that nobody counts.
    CHECK(snapshot->scan.objects >= live.said()["tracked"].get<std::uint64_t>());
    CHECK(snapshot->scan.objects < live.said()["tracked"].get<std::uint64_t>() * 11 / 10);

    const auto loops = view_loops(*snapshot, readers);
    REQUIRE(loops.loops.size() == 1);
    CHECK(loops.loops[0].timers == 10);
    CHECK(loops.loops[0].timers_cancelled == 1);
    CHECK(loops.loops[0].running == true);
    const auto groups = group_generators("coroutine", snapshot->unstarted, readers);
    REQUIRE(groups.size() == 1);
    CHECK(groups[0].text.name == "never");
    CHECK(groups[0].text.file == "<string>");
    CHECK(groups[0].count == 13);
  });
}

TEST_CASE("a holder is named by where the program keeps it") {
  on_each_interpreter(script, [](LivePython& live) {
    Readers readers(&live.heap());
    const std::vector<std::uint64_t> targets{live.id("held"), live.id("job")};
    const auto holders = Holders(&live.heap(), &readers).of(targets);
    REQUIRE(holders);
    const auto has = [&](std::uint64_t target, const char* text) {
      return std::ranges::count(holders->at(target), text) == 1;
    };
    CHECK(has(targets[0], "set `background` of module __main__ (1 item)"));
    CHECK(has(targets[1], "list `jobs` of __main__.Manager (20 items)"));
  });
}

TEST_CASE("what a task holds is its locals, or its result") {
  on_each_interpreter(script, [](LivePython& live) {
    Readers readers(&live.heap());
    const InspectRequest request;
    const TaskDetail detail(&readers, &request);
    const auto pending = detail.read(live.id("held"));
    REQUIRE(pending);
    const auto cache = std::ranges::find(pending->locals, "local_cache", &InspectedLocal::name);
    REQUIRE(cache != pending->locals.end());
    CHECK(cache->frame == "worker");
    CHECK(cache->type == "list");
    CHECK(cache->length == 300);
    CHECK(cache->bytes > 300 * 8);
    CHECK(cache->value.empty());  // only on request
    CHECK(std::ranges::is_sorted(pending->locals, std::ranges::greater{}, &InspectedLocal::bytes));
    const auto done = detail.read(live.id("job"));
    REQUIRE(done);
    CHECK(done->state == "finished");
    REQUIRE(done->result);
    CHECK(done->result->length == 3);
  });
}

}  // namespace
}  // namespace asyncleak::census
