#include "model/hints.h"

#include <catch2/catch.hpp>

using namespace asyncleak;

namespace {

constexpr const char* tasks_py = "/usr/lib/python3.11/asyncio/tasks.py";

// A growing site whose tasks nobody waits for; without a pattern so far.
SiteRow tasks(std::vector<Frame> created_at, std::vector<std::vector<std::string>> uses) {
  auto identity = std::make_shared<SiteIdentity>();
  identity->coroutine = "fetch";
  identity->created_at = std::move(created_at);
  SiteRow site;
  site.identity = identity;
  site.outstanding = 400;
  site.pending = 400;
  site.done = 0;
  site.cancel_requested = 0;
  site.pattern.emplace();
  site.pattern->creator_uses = std::move(uses);
  site.pattern->looked_at = 8;
  site.pattern->creators = 1;
  return site;
}

const Frame create_task{"create_task", tasks_py, 360}, race{"race", "/srv/app.py", 12},
    main_{"main", "/srv/app.py", 40};

SiteRow by_race(std::vector<std::string> uses) { return tasks({create_task, race, main_}, {{}, std::move(uses), {}}); }

SiteRow other(const std::string& kind, const std::string& name) {
  SiteRow site = tasks({}, {});
  auto identity = std::make_shared<SiteIdentity>();
  identity->kind = kind;
  identity->coroutine = name;
  site.identity = identity;
  site.pending.reset();
  return site;
}

Finding hinted(const SiteRow& site, const std::string& kind = "task-leak") {
  Finding finding;
  finding.kind = kind;
  add_hint(finding, site);
  CHECK(finding.pattern.empty() == finding.hint.empty());
  return finding;
}

std::string pattern_of(const SiteRow& site, const std::string& kind = "task-leak") {
  return hinted(site, kind).pattern;
}

}  // namespace

TEST_CASE("the loser of a wait for the first") {
  const SiteRow site = by_race({"FIRST_COMPLETED", "wait"});
  CHECK(hinted(site).pattern == "wait-loser");
  CHECK(
      hinted(site).hint ==
      "asyncio.wait() returns when the first is done and leaves `fetch` running: in `race`, cancel() the tasks of its "
      "`pending` set and await them");
  CHECK(pattern_of(by_race({"FIRST_EXCEPTION", "wait"})) == "wait-loser");

  SECTION("created in a comprehension, which has a frame of its own") {
    const auto inner = tasks({create_task, {"race.<locals>.<listcomp>", "/srv/app.py", 13}, race},
                             {{}, {}, {"FIRST_COMPLETED", "wait"}});
    CHECK(hinted(inner).pattern == "wait-loser");
    CHECK(hinted(inner).hint.find("in `race`") != std::string::npos);
  }
  SECTION("not by a function further out, nor by one that cancels, nor with all of them awaited") {
    CHECK(pattern_of(tasks({create_task, main_, race}, {{}, {}, {"FIRST_COMPLETED", "wait"}})).empty());
    CHECK(pattern_of(by_race({"FIRST_COMPLETED", "cancel", "wait"})).empty());
    CHECK(pattern_of(by_race({"wait"})).empty());
    CHECK(pattern_of(by_race({"FIRST_COMPLETED"})).empty());
    SiteRow awaited = site;
    awaited.pattern->awaited = 6;
    CHECK(pattern_of(awaited).empty());
  }
  SECTION("not while those who wait for the first hang themselves") {
    SiteRow hanging = site;
    hanging.pattern->creators = 390;
    CHECK(pattern_of(hanging).empty());
  }
  SECTION("not of what does not end although it was cancelled, nor of too few, nor unseen") {
    SiteRow cancelled = site;
    cancelled.cancel_requested = 300;
    CHECK(pattern_of(cancelled).empty());
    SiteRow two = site;
    two.pattern->looked_at = 2;
    CHECK(pattern_of(two).empty());
    SiteRow unseen = site;
    unseen.pattern.reset();
    CHECK(pattern_of(unseen).empty());
  }
  SECTION("not of finished ones") { CHECK(pattern_of(site, "done-held").empty()); }
}

TEST_CASE("a wait with a timeout") {
  CHECK(pattern_of(by_race({"timeout=", "wait"})) == "wait-timeout");
  CHECK(pattern_of(by_race({"timeout", "wait"})).empty());  // async with asyncio.timeout(): await event.wait()
  CHECK(pattern_of(by_race({"timeout=", "wait_for"})).empty());
  CHECK(pattern_of(by_race({"cancel", "timeout=", "wait"})).empty());
}

TEST_CASE("as_completed left early") {
  SiteRow site = by_race({});
  site.pattern->left_by_as_completed = 8;
  CHECK(pattern_of(site) == "as-completed-left");
  SECTION("not while the loops go on") {
    site.pattern->creators = 200;
    CHECK(pattern_of(site) == "as-completed-left");
    site.pattern->creators = 201;
    CHECK(pattern_of(site).empty());
  }
  SECTION("not of a few only") {
    site.pattern->left_by_as_completed = 5;
    CHECK(pattern_of(site).empty());
  }
}

TEST_CASE("the others of a gather that failed") {
  SiteRow site = by_race({"cancel"});
  site.pattern->left_by_gather = 6;
  CHECK(hinted(site).pattern == "gather-orphan");
  CHECK(hinted(site).hint ==
        "gather() raised the first exception and left `fetch` running: use asyncio.TaskGroup (3.11), or keep the tasks "
        "and cancel() those not done when gather() raises");
  site.cancel_requested = 400;
  CHECK(pattern_of(site).empty());
  site.cancel_requested = 0;
  site.pattern->left_by_gather = 5;
  CHECK(pattern_of(site).empty());
}

TEST_CASE("shielded from a timeout") {
  const Frame ensure_future{"ensure_future", tasks_py, 650}, shield{"shield", tasks_py, 800};
  CHECK(pattern_of(tasks({ensure_future, shield, race}, {{}, {}, {}})) == "shield-orphan");
  CHECK(pattern_of(by_race({"shield", "wait_for"})) == "shield-orphan");
  CHECK(pattern_of(by_race({"shield", "timeout"})) == "shield-orphan");
  CHECK(pattern_of(by_race({"shield"})).empty());
  CHECK(pattern_of(by_race({"cancel", "shield", "wait_for"})).empty());
  CHECK(pattern_of(tasks({create_task, {"shield", "/srv/app.py", 3}}, {{}, {}})).empty());  // the program's own
  SiteRow waiting = tasks({ensure_future, shield, race}, {{}, {}, {}});
  waiting.pattern->awaited = 8;
  CHECK(pattern_of(waiting).empty());
}

TEST_CASE("a cancellation that was caught") {
  SiteRow site = by_race({"FIRST_COMPLETED", "wait"});
  site.cancel_requested = 400;
  CHECK(pattern_of(site, "cancel-ignored").empty());  // may be cleaning up
  site.pattern->swallowed = 7;
  CHECK(pattern_of(site, "cancel-ignored") == "cancel-swallowed");
  CHECK(hinted(site).hint ==
        "`fetch` catches its own cancellation and goes on: let CancelledError through (`except Exception`, or `raise` "
        "after cleaning up)");
}

TEST_CASE("tasks that only a collection of the program keeps") {
  SiteRow site = by_race({});
  CHECK(pattern_of(site).empty());
  site.holders = {"attribute `task` of app.Client", "set `background` of module app (400 items)"};
  CHECK(hinted(site).pattern == "task-kept");
  CHECK(hinted(site).hint ==
        "nobody awaits or cancels `fetch`, `background` only keeps its tasks alive: cancel() each when what it was "
        "started for ends, or start it in an asyncio.TaskGroup");
  SECTION("not where a task awaits them, or a task group has them, or a library made them") {
    SiteRow awaited = site;
    awaited.pattern->awaited = 3;
    CHECK(pattern_of(awaited).empty());
    SiteRow group = site;
    group.holders = {"set `_tasks` of asyncio.taskgroups.TaskGroup (3 items)"};
    CHECK(pattern_of(group).empty());
    SiteRow library =
        tasks({create_task, {"run", "/venv/lib/python3.11/site-packages/uvicorn/server.py", 9}}, {{}, {}});
    library.holders = site.holders;
    CHECK(pattern_of(library).empty());
  }
  SECTION("nor where the holder has no name, is no collection, or keeps a few of them only") {
    site.holders = {"list (400 items)", "list `tasks` of main() (99 items)", "local `tasks` of main()",
                    "attribute `set` of app.Client"};
    CHECK(pattern_of(site).empty());
  }
}

TEST_CASE("finished tasks that a collection keeps") {
  SiteRow site = by_race({});
  site.pending = 0;
  site.done = 400;
  CHECK(pattern_of(site, "done-held").empty());
  site.holders = {"set `running` of module app (400 items)"};
  CHECK(hinted(site, "done-held").pattern == "done-kept");
  CHECK(hinted(site, "done-held").hint == "`running` keeps finished tasks: task.add_done_callback(running.discard)");
  site.outstanding = 14000;
  site.holders = {"set `few` of app.Jobs (3499 items)"};
  CHECK(pattern_of(site, "done-held").empty());
  site.holders = {"list `history` of app.Jobs (12.3k items)"};
  CHECK(hinted(site, "done-held").hint ==
        "`history` keeps finished tasks: keep results instead, or a set and task.add_done_callback(history.discard)");
  site.outstanding = 400;
  site.holders = {"dict `by\x1bid` of app.Jobs (400 items)"};
  CHECK(hinted(site, "done-held").hint ==
        "`by?id` keeps finished tasks: remove the entry in a done callback (task.add_done_callback), or keep results "
        "instead");
  site.holders = {"local `task` of request()", "list `tasks` of request() (2 items)", "set `some` of module app"};
  CHECK(pattern_of(site, "done-held").empty());
}

TEST_CASE("tasks that wait for each other") {
  SiteRow site = by_race({"FIRST_COMPLETED", "wait"});
  site.pattern->awaited = 8;
  site.pattern->in_circle = 300;
  CHECK(pattern_of(site) == "deadlock");
  site.pattern->in_circle = 299;
  CHECK(pattern_of(site).empty());
}

TEST_CASE("a timer that arms itself") {
  SiteRow site = other("timer", "Cache.refresh");
  CHECK(pattern_of(site, "timer-leak").empty());
  site.pattern->own_uses = {"cancel"};
  CHECK(pattern_of(site, "timer-leak").empty());
  site.pattern->own_uses = {"call_later"};
  CHECK(pattern_of(site, "timer-leak") == "timer-rearmed");
}

TEST_CASE("an async generator that was left") {
  SiteRow site = other("asyncgen", "Table.cursor");
  CHECK(pattern_of(site, "asyncgen-leak").empty());  // nobody found who keeps it: a loop over it may go on
  site.holders = {"list `open_cursors` of module app (400 items)"};
  CHECK(hinted(site, "asyncgen-leak").pattern == "asyncgen-not-closed");
  CHECK(hinted(site, "asyncgen-leak").hint ==
        "`Table.cursor` was left before its end and not closed: `async with contextlib.aclosing(cursor(...)) as items` "
        "(3.10), or await its aclose() when leaving early");
  SECTION("not one whose next item is awaited, or that a loop has at hand") {
    site.pattern->awaited = 1;
    CHECK(pattern_of(site, "asyncgen-leak").empty());
    site.pattern->awaited = 0;
    for (const auto* const holder : {"local `lines` of request()", "dict `cursors` of request() (2 items)"}) {
      site.holders = {holder};
      CHECK(pattern_of(site, "asyncgen-leak").empty());
    }
  }
}

TEST_CASE("subprocesses nobody waits for") {
  SiteRow site = other("transport", "SubprocessStreamProtocol");
  CHECK(pattern_of(site, "transport-leak").empty());  // sockets
  site.pattern->item = "subprocess";
  CHECK(pattern_of(site, "transport-leak") == "subprocess-not-waited");
  site.pattern->awaited = 8;
  CHECK(pattern_of(site, "transport-leak").empty());
}

TEST_CASE("containers that grow: a queue without a bound, callbacks") {
  SiteRow queue = other("alloc", "asyncio.queues.Queue `jobs` of module app");
  queue.pattern->maxsize = 0;
  queue.pattern->getters = 0;
  CHECK(hinted(queue, "memory-growth").pattern == "queue-unbounded");
  CHECK(hinted(queue, "memory-growth").hint ==
        "`jobs` has no bound and is filled faster than it is emptied: give it a maxsize, so that put() waits, and more "
        "consumers");
  queue.pattern->maxsize = 5000;
  CHECK(pattern_of(queue, "memory-growth").empty());

  SiteRow list = other("alloc", "list `listeners` of app.Emitter");
  CHECK(pattern_of(list, "memory-growth").empty());
  list.pattern->item = "task";
  CHECK(pattern_of(list, "memory-growth").empty());
  list.pattern->item = "callback";
  CHECK(pattern_of(list, "memory-growth") == "listener-kept");
  SiteRow nameless = other("alloc", "list");
  nameless.pattern->item = "callback";
  CHECK(pattern_of(nameless, "memory-growth").empty());
}
