#include "view/json.h"

#include "report_fixture.h"
#include "screen_fixture.h"

#include <catch2/catch.hpp>

using namespace asyncleak;

TEST_CASE("the contract, literally") {
  CHECK(
      to_json(example_report()) ==
      R"({"schema":"asyncleak/1","time":"2026-11-21T04:16:58.123Z","interval_s":1.0004,"labels":["deploy"],)"
      R"("probes":{"hits_per_s":2.5,"dropped_total":2,"overhead_percent":0.000163},)"
      R"("processes":[{"pid":42,"comm":"app \"x\"\n","cmdline":"python3 app.py","exe":"/usr/bin/python3.11",)"
      R"("python":"3.11.2","started":null,"unit":"app.service","container":null,"container_runtime":null,)"
      R"("container_pid":null,"pod":null,"pod_uid":null,"namespace":null,)"
      R"("tasks":{"outstanding":420,"pending":null,"done":null},"asyncgens":null,"never_awaited":null,)"
      R"("rss_bytes":104857600,"rss_baseline_bytes":null,"memory":null,"allocations":null,"loops":null,"census":null,)"
      R"("coverage":{"tasks":"exact","bytes":"none","loops":"none"},"warnings":[]},)"
      R"({"pid":43,"comm":"b�","cmdline":"","exe":null,"python":null,"started":null,"unit":null,)"
      R"("container":null,"container_runtime":null,"container_pid":null,"pod":null,"pod_uid":null,"namespace":null,)"
      R"("tasks":{"outstanding":null,"pending":null,"done":null},"asyncgens":null,"never_awaited":null,)"
      R"("rss_bytes":null,"rss_baseline_bytes":null,"memory":null,"allocations":null,"loops":null,"census":null,)"
      R"("coverage":{"tasks":"none","bytes":"none","loops":"none"},"warnings":["asyncio is not loaded"]}],)"
      R"("sites":[{"pid":42,"site":"326151e1da7f6050","kind":"task","coroutine":"Conn.waiter","file":"/srv/app.py","line":12,)"
      R"("created_at":[{"function":"create_task","file":"/usr/lib/python3.11/asyncio/tasks.py","line":371},)"
      R"({"function":"handler","file":"/srv/app.py","line":31}],"waiting_at":null,"waiting_here":null,"waiting_of":null,)"
      R"("outstanding":412,"pending":null,"done":null,"cancel_requested":null,"preexisting":0,)"
      R"("created_total":12420,"destroyed_total":12008,"destroyed_pending":null,"created_per_s":2.0,"destroyed_per_s":0.5,)"
      R"("growth_per_min":84.0,"oldest_s":298.0,"median_age_s":149.0,)"
      R"("bytes":null,"allocated_bytes":null,"allocated_blocks":null,"allocated_total_bytes":null,)"
      R"("freed_total_bytes":null,"allocated_growth_per_min":null,"allocated_ages":null,"allocated_lines":null,)"
      R"("held_bytes":null,"held_error_bytes":null,"held_at_least":null,)"
      R"("buffered_bytes":null,"holders":[],"slow_steps":null,"verdict":"leak","confidence":0.978},)"
      R"({"pid":42,"site":"0608263f13e143b4","kind":"task","coroutine":"Pool.worker","file":"/srv/app.py","line":12,)"
      R"("created_at":[],"waiting_at":null,"waiting_here":null,"waiting_of":null,)"
      R"("outstanding":8,"pending":null,"done":null,"cancel_requested":null,"preexisting":0,)"
      R"("created_total":8,"destroyed_total":0,"destroyed_pending":null,"created_per_s":0.0,"destroyed_per_s":0.0,)"
      R"("growth_per_min":0.0,"oldest_s":4000.0,"median_age_s":4000.0,)"
      R"("bytes":null,"allocated_bytes":null,"allocated_blocks":null,"allocated_total_bytes":null,)"
      R"("freed_total_bytes":null,"allocated_growth_per_min":null,"allocated_ages":null,"allocated_lines":null,)"
      R"("held_bytes":null,"held_error_bytes":null,"held_at_least":null,)"
      R"("buffered_bytes":null,"holders":[],"slow_steps":null,"verdict":"steady","confidence":null}],)"
      R"("findings":[{"kind":"task-leak","severity":"leak","confidence":0.978,"pid":42,"site":"326151e1da7f6050","coroutine":"Conn.waiter","file":"/srv/app.py","line":12,)"
      R"("created_at":[{"function":"create_task","file":"/usr/lib/python3.11/asyncio/tasks.py","line":371},)"
      R"({"function":"handler","file":"/srv/app.py","line":31}],)"
      R"("created_in":{"function":"handler","file":"/srv/app.py","line":31},)"
      R"("waiting_at":[{"function":"Event.wait","file":"/usr/lib/python3.11/asyncio/locks.py","line":213},)"
      R"({"function":"Conn.waiter","file":"/srv/app.py","line":44}],)"
      R"("waiting_in":{"function":"Conn.waiter","file":"/srv/app.py","line":44},)"
      R"("outstanding":412,"growth_per_min":84.0,"allocated_growth_per_min":null,"bytes":null,"since_s":270.5,)"
      R"("why":"412 of 420 tasks created at app.py:31 by `handler` in the last 60 s are still pending; +1.4/s; oldest 4 min 58 s; )"
      R"(all wait in `Event.wait` at app.py:44","pattern":"listener","hint":"set the event when the connection closes"}]})");
}

TEST_CASE("what the census saw of a process and of its sites") {
  Report report = test::census_report();
  report.processes[0].process.census->reasons = {"one"};
  const std::string json = to_json(report);
  const auto contains = [&json](std::string_view part) { return json.find(part) != std::string::npos; };
  CHECK(contains(R"("tasks":{"outstanding":820,"pending":800,"done":20},"asyncgens":7,"never_awaited":null,)"));
  CHECK(contains(R"("memory":{"arenas_bytes":73400320,"small_objects_bytes":63963136,"small_objects":900000,)"
                 R"("c_heap_bytes":12582912,"mapped_bytes":9437184,"stacks_bytes":1048576,"files_bytes":8388608,)"
                 R"("shared_bytes":0,"swapped_bytes":0,"unknown":null},"allocations":null,)"
                 R"("loops":[{"kind":"asyncio.unix_events._UnixSelectorEventLoop","running":true,"ready":3,)"
                 R"("timers":1200,"timers_cancelled":2,"transports":40,"asyncgens":7,"executor_queue":null,)"
                 R"("unknown":null}],)"
                 R"("census":{"age_s":0.8,"duration_ms":12.4,"objects":88120,"tasks":1203,"unknown_to_kernel":0,)"
                 R"("not_found":0,"complete":true,"reasons":["one"]},)"
                 R"("coverage":{"tasks":"since-attach","bytes":"none","loops":"exact"})"));
  CHECK(contains(R"("waiting_at":[{"function":"Queue.get","file":"/usr/lib/python3.11/asyncio/queues.py","line":158},)"
                 R"({"function":"refresh","file":"/srv/shop/cart.py","line":57}],"waiting_here":37,"waiting_of":40,)"
                 R"("outstanding":812,"pending":800,"done":12,"cancel_requested":3,)"));
  CHECK(contains(
      R"j("held_bytes":100663296,"held_error_bytes":4194304.0,"held_at_least":false,"buffered_bytes":null,)j"
      R"j("holders":["set `background` of module app (812 items)"],"slow_steps":null,"verdict":"leak","confidence":0.93)j"));
  CHECK(contains(R"("kind":"timer","coroutine":"Cache.expire","file":"/srv/shop/feed.py","line":9,"created_at":[],)"
                 R"("waiting_at":null,"waiting_here":null,"waiting_of":null,"outstanding":1198,"pending":null,)"
                 R"("done":null,"cancel_requested":null,"preexisting":0,"created_total":null,"destroyed_total":null,)"
                 R"("destroyed_pending":null,"created_per_s":null,)"));
}

TEST_CASE("steps that held the loop, and tasks destroyed before they finished") {
  Report report = test::census_report();
  report.sites[0].slow_steps = SlowSteps{12, 1'250'000'000, 0};
  report.sites[0].destroyed_pending = 31;
  CHECK(to_json(report).find(R"("slow_steps":{"count":12,"longest_s":1.25,"running_s":null})") != std::string::npos);
  CHECK(to_json(report).find(R"("destroyed_pending":31)") != std::string::npos);
  report.sites[0].slow_steps = SlowSteps{0, 0, 2'000'000'000};
  CHECK(to_json(report).find(R"("slow_steps":{"count":0,"longest_s":null,"running_s":2.0})") != std::string::npos);
}

TEST_CASE("an empty first report has nulls, not zeros") {
  CHECK(to_json(Report{}) ==
        R"({"schema":"asyncleak/1","time":"1970-01-01T00:00:00.000Z","interval_s":null,"labels":[],)"
        R"("probes":{"hits_per_s":null,"dropped_total":0,"overhead_percent":null},)"
        R"("processes":[],"sites":[],"findings":[]})");
}

TEST_CASE("where a process runs is told beside what it is") {
  Report report = example_report();
  ProcessSample& process = report.processes[0].process;
  process.started_wall_ns = 1'795'234'000'120'000'000;
  process.unit.clear();
  process.container = "4f0e5d2c9a1b";
  process.inside = {"containerd", "web-0", "1b2c3d4e-5f60-7182-93a4-b5c6d7e8f901", "shop", 7};
  CHECK(to_json(report).find(R"("started":"2026-11-21T04:06:40.120Z","unit":null,"container":"4f0e5d2c9a1b",)"
                             R"("container_runtime":"containerd","container_pid":7,"pod":"web-0",)"
                             R"("pod_uid":"1b2c3d4e-5f60-7182-93a4-b5c6d7e8f901","namespace":"shop",)") !=
        std::string::npos);
}
