#include "model/why.h"

#include <catch2/catch.hpp>
#include <memory>

using namespace asyncleak;

namespace {

const std::string packages = "/srv/venv/lib/python3.12/site-packages/";
const Frame queue_get = {"Queue.get", "/usr/lib/python3.12/asyncio/queues.py", 158};
const Frame event_wait = {"Event.wait", "/usr/lib/python3.12/asyncio/locks.py", 212};

SiteRow row(SiteIdentity identity) {
  SiteRow made;
  made.identity = std::make_shared<SiteIdentity>(std::move(identity));
  made.outstanding = 412;
  made.oldest_s = 298;
  return made;
}

SiteIdentity waiter() {
  SiteIdentity identity;
  identity.coroutine = "Conn.waiter";
  identity.file = "/srv/app.py";
  identity.line = 12;
  identity.created_at = {{"create_task", "/usr/lib/python3.12/asyncio/tasks.py", 371}, {"handler", "/srv/app.py", 31}};
  return identity;
}

// What a web server makes for each connection: the user's function is only in the await chain.
SiteRow websocket() {
  SiteIdentity identity;
  identity.coroutine = "WebSocketProtocol.run_asgi";
  identity.file = packages + "uvicorn/protocols/websockets/websockets_impl.py";
  identity.line = 238;
  identity.created_at = {
      {"WebSocketProtocol.ws_handler", packages + "uvicorn/protocols/websockets/websockets_impl.py", 190}};
  SiteRow made = row(identity);
  made.waiting_at = {queue_get, {"ws", "/srv/app.py", 14}, {"app", packages + "starlette/routing.py", 75}};
  made.waiting_here = made.waiting_of = 60;
  return made;
}

Evidence evidence() { return {{300, 84}, Survival{300, 412, 412}, Accumulating::all, 270}; }

}  // namespace

TEST_CASE("rates in the unit in which they are numbers one can imagine") {
  CHECK(rate_in_words(84) == "+1.4/s");
  CHECK(rate_in_words(120) == "+2/s");
  CHECK(rate_in_words(60 * 84.3) == "+84/s");
  CHECK(rate_in_words(60 * 12'345) == "+12.3k/s");
  CHECK(rate_in_words(59) == "+59/min");
  CHECK(rate_in_words(1.25) == "+1.2/min");
  CHECK(rate_in_words(0.5) == "+30/h");
  CHECK(rate_in_words(-90) == "-1.5/s");
  CHECK(rate_in_words(0) == "0/min");
}

TEST_CASE("durations in at most two units") {
  CHECK(duration_in_words(0) == "0 s");
  CHECK(duration_in_words(0.42) == "0.4 s");
  CHECK(duration_in_words(42.4) == "42 s");
  CHECK(duration_in_words(59.6) == "1 min");
  CHECK(duration_in_words(298) == "4 min 58 s");
  CHECK(duration_in_words(300) == "5 min");
  CHECK(duration_in_words(7500) == "2 h 5 min");
  CHECK(duration_in_words(7210) == "2 h");
  CHECK(duration_in_words(3 * 86400 + 4 * 3600) == "3 d 4 h");
}

TEST_CASE("places name the package of a library") {
  CHECK(place_in_words("/srv/app.py", 31) == "app.py:31");
  CHECK(place_in_words(packages + "uvicorn/server.py", 71) == "server.py:71 of uvicorn");
  CHECK(place_in_words(event_wait.file, 212) == "locks.py:212 of asyncio");
  CHECK(place_in_words("/srv/app.py", std::nullopt) == "app.py");
  CHECK(place_in_words("", 3).empty());
  CHECK(frame_in_words({"f", "", std::nullopt}) == "`f`");
}

TEST_CASE("tasks that still wait: how many of how many, who creates them, how fast, since when, where") {
  SiteRow site = row(waiter());
  site.pending = 412;
  site.done = 0;
  site.waiting_at = {event_wait, {"Conn.waiter", "/srv/app.py", 44}};
  site.waiting_here = site.waiting_of = 40;
  site.holders = {"set `background` of module app (412 items)"};
  CHECK(why_accumulating(site, evidence()) ==
        "412 of 412 tasks created at app.py:31 by `handler` in the last 5 min are still pending; +1.4/s; oldest 4 min "
        "58 s; all wait in `Event.wait` at app.py:44; held by set `background` of module app (412 items)");
}

TEST_CASE("some of those looked at; in another function; most of them older; some finished") {
  SiteRow site = row(waiter());
  site.outstanding = 5040;
  site.pending = 5000;
  site.done = 40;
  site.waiting_at = {event_wait, {"pause", "/srv/util.py", 7}, {"Conn.waiter", "/srv/app.py", 44}};
  site.waiting_here = 57;
  site.waiting_of = 60;
  site.oldest_at_least = true;
  CHECK(why_accumulating(site, evidence()) ==
        "412 of 412 tasks created at app.py:31 by `handler` in the last 5 min still exist; 5,040 in all (40 of them "
        "finished); +1.4/s; oldest over 4 min 58 s; 57 of 60 looked at wait in `Event.wait`, in `pause` at util.py:7");
}

TEST_CASE("a coroutine that awaits a future itself") {
  SiteRow site = row(waiter());
  site.waiting_at = {{"waiter", "/srv/app.py", 44}};  // 3.10: no qualified names in frames
  CHECK(why_accumulating(site, {{30, 0.5}, std::nullopt, Accumulating::all, 0}) ==
        "412 tasks created at app.py:31 by `handler` exist; +30/h; oldest 4 min 58 s; all wait at app.py:44");
}

TEST_CASE("where a library creates the tasks the user's function comes first") {
  CHECK(why_accumulating(websocket(), evidence()) ==
        "412 of 412 tasks in `ws` at app.py:14, created in the last 5 min, still exist; +1.4/s; oldest 4 min 58 s; all "
        "wait in `Queue.get`; created at websockets_impl.py:190 of uvicorn");
}

TEST_CASE("where everything is a library's its frames have to do") {
  SiteRow site = websocket();
  const Frame library = site.waiting_at.back();
  site.waiting_at = {site.waiting_at.front(), library};
  CHECK(why_accumulating(site, evidence()) ==
        "412 of 412 tasks created at websockets_impl.py:190 of uvicorn in the last 5 min still exist; +1.4/s; oldest 4 "
        "min 58 s; all wait in `Queue.get`");
  site.waiting_at = {library};
  CHECK(why_accumulating(site, evidence()).ends_with("; all wait in `app` at routing.py:75 of starlette"));
}

TEST_CASE("tasks from before the watch: nobody saw who created them") {
  SiteIdentity identity = waiter();
  identity.preexisting = true;
  identity.created_at.clear();
  CHECK(why_accumulating(row(identity), {{30, 84}, std::nullopt, Accumulating::all, 0}) ==
        "412 tasks defined at app.py:12 exist; +1.4/s; oldest 4 min 58 s");
}

TEST_CASE("a staircase: level most of the time") {
  Evidence steps = evidence();
  steps.survival.reset();
  steps.trend.growth_per_min = 0;
  steps.trend.rise = 40;
  CHECK(why_accumulating(row(waiter()), steps) ==
        "412 tasks created at app.py:31 by `handler` exist; +40 in 5 min; oldest 4 min 58 s");
}

TEST_CASE("findings: leaks, sites before processes, the program's own code before a library's, then growth") {
  Finding process, warning, library, own, slower;
  process.kind = "overload";
  process.growth_per_min = 900;
  warning.coroutine = library.coroutine = own.coroutine = slower.coroutine = "f";
  warning.file = own.file = slower.file = "/srv/app.py";
  library.file = packages + "uvicorn/server.py";
  library.severity = own.severity = slower.severity = Severity::leak;
  warning.growth_per_min = library.growth_per_min = 500;
  own.growth_per_min = 100;
  slower.growth_per_min = 50;
  std::vector<Finding> findings = {process, warning, library, slower, own};
  sort_findings(findings);
  std::vector<double> order;
  for (const Finding& finding : findings) order.push_back(*finding.growth_per_min);
  CHECK(order == std::vector<double>{100, 50, 500, 500, 900});
  CHECK(findings[2].severity == Severity::leak);
}

TEST_CASE("async generators stand where they were left; transports have bytes to write") {
  SiteIdentity identity;
  identity.kind = "asyncgen";
  identity.coroutine = "ticks";
  identity.file = "/srv/feed.py";
  identity.line = 9;
  SiteRow site = row(identity);
  site.by_census = true;
  site.oldest_s.reset();
  site.waiting_at = {{"ticks", "/srv/feed.py", 14}};
  site.waiting_here = site.waiting_of = 40;
  CHECK(why_accumulating(site, {{300, 84}, std::nullopt, Accumulating::all, 0}) ==
        "412 async generators in `ticks` at feed.py:14 were started and not finished; +1.4/s over 5 min");
  site.waiting_at = {{"ticks", packages + "feeds/feed.py", 14}};
  CHECK(why_accumulating(site, {{300, 84}, std::nullopt, Accumulating::all, 0}) ==
        "412 async generators defined at feed.py:9 were started and not finished; +1.4/s over 5 min; all stand in "
        "`ticks` at feed.py:14 of feeds");
  identity.kind = "transport";
  identity.coroutine = "HttpProtocol";
  site = row(identity);
  site.by_census = true;
  site.oldest_s.reset();
  site.buffered_bytes = 3 << 20;
  CHECK(why_accumulating(site, {{300, 84}, std::nullopt, Accumulating::all, 0}) ==
        "412 transports defined at feed.py:9 exist; +1.4/s over 5 min; 3.00MiB to be written");
}
