// What `inspect` found in a small leaking service. Used by the tests of its text, its JSON and the
// task list of the live view.
#pragma once

#include "sample/inspection.h"

#include <string>
#include <utility>

namespace asyncleak::test {

inline InspectedTask task(std::uint64_t address, std::string name, std::string coroutine) {
  InspectedTask task;
  task.address = address;
  task.name = std::move(name);
  task.state = "pending";
  task.coroutine = std::move(coroutine);
  task.file = "/srv/app.py";
  task.line = 12;
  return task;
}

// Task-1 gathers two; `count` workers that nobody awaits; one failed.
inline Inspection inspection(std::uint64_t workers = 5) {
  Inspection all;
  all.wall_ns = 1'795'269'800'000'000'000;
  ProcessSample& process = all.process;
  process.pid = 4242;
  process.comm = "app";
  process.cmdline = "python3 app.py";
  process.exe = "/usr/bin/python3.11";
  process.python = "3.11.2";
  process.rss_bytes = 104857600;
  CensusSample census;
  census.duration_s = 0.0124;
  census.objects = 88'120;
  census.tasks = workers + 4;
  process.census = census;
  LoopSample loop;
  loop.kind = "asyncio.unix_events._UnixSelectorEventLoop";
  loop.running = true;
  loop.ready = 1;
  loop.timers = 3;
  process.loops = {loop};

  InspectedTask main = task(0x1000, "Task-1", "main");
  main.await_chain = {{"main", "/srv/app.py", 90}};
  main.waiting_for_type = "_asyncio._GatheringFuture";
  all.tasks.push_back(main);
  for (std::uint64_t i = 2; i <= 3; ++i) {
    InspectedTask child = task(0x1000 * i, "Task-" + std::to_string(i), "serve");
    child.await_chain = {{"StreamReader.read", "/usr/lib/python3.11/asyncio/streams.py", 700},
                         {"serve", "/srv/app.py", 30}};
    child.waiting_for_type = "_asyncio.Future";
    child.awaited_by = {{"gather", 0x1000, "Task-1", ""}};
    all.tasks.push_back(child);
  }
  for (std::uint64_t i = 0; i < workers; ++i) {
    InspectedTask worker = task(0x10000 + i * 0x100, "Task-" + std::to_string(10 + i), "leaky_worker");
    worker.age_s = 312 - static_cast<double>(i);
    worker.cancel_requested = true;
    worker.created_at = {{"create_task", "/usr/lib/python3.11/asyncio/tasks.py", 371}, {"handler", "/srv/app.py", 31}};
    worker.await_chain = {{"Event.wait", "/usr/lib/python3.11/asyncio/locks.py", 213},
                          {"leaky_worker", "/srv/app.py", 57}};
    worker.waiting_for_type = "_asyncio.Future";
    worker.held_bytes = 100663296;
    worker.locals = {{"leaky_worker", "local_cache", "list", 12'034, 100663296, false, ""},
                     {"Event.wait", "fut", "_asyncio.Future", std::nullopt, 144, true, ""}};
    worker.holders = {"set `background` of module app (5 items)"};
    all.tasks.push_back(worker);
  }
  InspectedTask failed = task(0x9000, "job \"x\"", "job");
  failed.state = "failed";
  failed.age_s = 60;
  failed.age_at_least = true;
  failed.result = InspectedLocal{"", "", "ValueError", std::nullopt, 512, false, "bad"};
  failed.waiters_complete = false;
  all.tasks.push_back(failed);
  all.tasks_total = all.tasks.size();

  all.coroutines = {{"Feed.poll", "/srv/feed.py", 77, 12, 0, {}, {"list `pending` of module app (12 items)"}}};
  all.asyncgens = {{"ticks", "/srv/feed.py", 9, 3, 0, {{"ticks", "/srv/feed.py", 14}}, {}}};
  all.timers = {{"Cache.expire", "/srv/cache.py", 5, 1197, 2, {}, {}}};
  all.ready = {{"Future.set_result", "", std::nullopt, 1, 0, {}, {}}};
  all.transports = {{"_SelectorSocketTransport", "HttpProtocol", "10.0.0.7:443", "10.0.0.1:5000", 38, 1258291}};
  all.queues = {{"asyncio.Queue", 12'034, 0, 2, 0, {"Bus.inbox"}}};
  all.waits = {{"asyncio.Lock", 12}};
  return all;
}

}  // namespace asyncleak::test
