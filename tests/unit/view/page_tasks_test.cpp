#include "inspection_fixture.h"
#include "screen_fixture.h"
#include "view/screen.h"

#include <catch2/catch.hpp>

using namespace asyncleak;

namespace {

// The first site of the report is the workers of the inspection, or what KIND and NAME say.
Report report_of(const Inspection& inspection, const std::string& kind, const std::string& name) {
  Report report = test::report();
  auto identity = std::make_shared<SiteIdentity>(*report.sites[0].identity);
  identity->pid = inspection.process.pid;
  identity->kind = kind;
  identity->coroutine = name;
  identity->file = "/srv/app.py";
  identity->line = 12;
  identity->created_at = inspection.tasks[3].created_at;
  report.sites[0].identity = identity;
  return report;
}

std::string page(const Report& report, const Inspection* inspection, Size size = {80, 24}) {
  UiState ui;
  ui.page = Page::tasks;
  ui.selected_site = 1;
  return to_text(render(report, ui, size, inspection));
}

bool contains(const std::string& all, std::string_view part) { return all.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("the tasks of a site: the oldest in depth, then all by age") {
  const Inspection inspection = test::inspection();
  CHECK("\n" + page(report_of(inspection, "task", "leaky_worker"), &inspection) == R"(
asyncleak-top 14:03:22 db1 up 3d04h, watching 2 processes for 5m32s, every 1.0s
Tasks:  932 outstanding, 7.50/s created, 1.50/s destroyed, growth +120/min
Trust:  exact since attach, maps 12.0% full, nothing dropped
Probes: 240 hits/s of 480 ns, overhead 0% of a core

leaky_worker
process 4242, looked at 2.0s ago (t looks again)
The oldest
Task-10  leaky_worker app.py:12  cancel requested, still alive  5m12s  holdin...
  waiting at /usr/lib/python3.11/asyncio/locks.py:213 Event.wait
             /srv/app.py:57 leaky_worker
  for        _asyncio.Future
  awaited by nobody
  created at app.py:31 handler
  locals     local_cache      list             12,034 items   96.0MiB
             Event.wait: fut  _asyncio.Future                  >=144B
  held by    set `background` of module app (5 items)

TASK         AGE     HELD STATE      WAITING AT
Task-10    5m12s  96.0MiB cancelling locks.py:213 Event.wait
Task-11    5m11s  96.0MiB cancelling locks.py:213 Event.wait
Task-12    5m10s  96.0MiB cancelling locks.py:213 Event.wait
Task-13    5m09s  96.0MiB cancelling locks.py:213 Event.wait
EscBack tTasks iProcess Up/DownScroll SpacePause ?Help
)");
}

TEST_CASE("a site whose tasks are not there, another process, a site that is gone") {
  Inspection inspection = test::inspection();
  CHECK(contains(page(report_of(inspection, "task", "unheard_of"), &inspection), "none of its tasks was there"));
  CHECK(contains(page(report_of(inspection, "task", "leaky_worker"), nullptr), "not looked at yet"));
  Report report = report_of(inspection, "task", "leaky_worker");
  inspection.process.pid = 1;
  CHECK(contains(page(report, &inspection), "not looked at yet"));
  report.sites.clear();
  CHECK(contains(page(report, &inspection), "This site is gone"));
}

TEST_CASE("what is no task is listed with who holds it") {
  const Inspection inspection = test::inspection();
  CHECK(contains(page(report_of(inspection, "coroutine", "Feed.poll"), &inspection),
                 "       12  Feed.poll feed.py:77\n           held by list `pending` of module app (12 items)\n"));
  CHECK(contains(page(report_of(inspection, "asyncgen", "ticks"), &inspection),
                 "        3  ticks feed.py:9\n           stands at /srv/feed.py:14 ticks\n"));
  CHECK(contains(page(report_of(inspection, "timer", "Cache.expire"), &inspection),
                 "    1,197  Cache.expire cache.py:5, 2 of them cancelled\n"));
  CHECK(contains(page(report_of(inspection, "transport", "HttpProtocol"), &inspection),
                 "       38  HttpProtocol over _SelectorSocketTransport, 1.20MiB wait"));
}
