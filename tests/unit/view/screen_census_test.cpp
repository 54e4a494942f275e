#include "screen_fixture.h"
#include "view/screen.h"

#include <catch2/catch.hpp>

using namespace asyncleak;

namespace {

std::string text(const UiState& ui, Size size) { return "\n" + to_text(render(test::census_report(), ui, size)); }

UiState page_of(Page page, std::uint64_t site) {
  UiState ui;
  ui.page = page;
  ui.selected_site = site;
  return ui;
}

}  // namespace

TEST_CASE("80x24: rows that are no tasks stand beside tasks, and say what they are") {
  CHECK(text({}, {80, 24}) == R"(
asyncleak-top 14:03:22 db1 up 3d04h, watching 2 processes for 5m32s, every 1.0s
Tasks:  932 outstanding, 7.50/s created, 1.50/s destroyed, growth +120/min
Trust:  exact since attach, maps 12.0% full, census agrees, nothing dropped
Probes: 240 hits/s of 480 ns, overhead 0% of a core
LEAK shop.cart.refresh (pid 812): 812 of 812 tasks created at api.py:31 by
`handler` in the last 60 s still exist; +2/s; oldest 5 min 12 s
6 sites by +/MIN
 PID KIND  COROUTINE               OUT  +/MIN VERDICT CONF CREATED AT
 812 task  shop.cart.refresh       812   +120 leak     93% api.py:31 handler
 812 timer Cache.expire           1198  +60.0 leak       - def feed.py:9
 812 task  serve                     8      0 steady   93% api.py:31 handler
1907 task  jobs.Queue.run          112      0 churn    93% api.py:31 handler
 812 agen  feed.ticks                7      0 steady     - def feed.py:9
 812 trans HttpProtocol             40      0 steady     - -









?Help qQuit EnterDetails !Findings pProcess sSort /Search fFilter SpacePause
)");
}

TEST_CASE("200x50: states and bytes") {
  CHECK(text({}, {200, 14}) == R"(
asyncleak-top 14:03:22 db1 up 3d04h, watching 2 processes for 5m32s, every 1.0s
Tasks:  932 outstanding, 7.50/s created, 1.50/s destroyed, growth +120/min
LEAK shop.cart.refresh (pid 812): 812 of 812 tasks created at api.py:31 by `handler` in the last 60 s still exist; +2/s; oldest 5 min 12 s
6 sites by +/MIN
 PID COMMAND KIND  COROUTINE               OUT PENDING   DONE  +/MIN  NEW/s  END/s OLDEST AGE p50    HELD VERDICT CONF CREATED HISTORY                  CREATED AT
 812 uvicorn task  shop.cart.refresh       812     800     12   +120   2.50   0.50  5m12s     20s 96.0MiB leak     93%     912                 ▁▂▃▄▅▆▇█ /srv/shop/api.py:31 handler < app.py:8 main
 812 uvicorn timer Cache.expire           1198       -      -  +60.0      -      -      -       -       - leak       -       -                      ▃▅█ def /srv/shop/feed.py:9
 812 uvicorn task  serve                     8       -      -      0   2.50   0.50  5m12s     20s       - steady   93%     108                 ▁▂▃▄▅▆▇█ /srv/shop/api.py:31 handler < app.py:8 main
1907 worker  task  jobs.Queue.run          112       -      -      0   2.50   0.50  5m12s     20s       - churn    93%     212                 ▁▂▃▄▅▆▇█ /srv/shop/api.py:31 handler < app.py:8 main
 812 uvicorn agen  feed.ticks                7       -      -      0      -      -      -       -       - steady     -       -                      ▃▅█ def /srv/shop/feed.py:9
 812 uvicorn trans HttpProtocol             40       -      -      0      -      -      -       -       - steady     -       -                      ▃▅█ -


?Help qQuit EnterDetails !Findings pProcess sSort /Search fFilter SpacePause wWrite
)");
}

TEST_CASE("drill-down: states, bytes with their error, holders, census, where they wait") {
  CHECK(text(page_of(Page::site, 1), {80, 40}) == R"(
asyncleak-top 14:03:22 db1 up 3d04h, watching 2 processes for 5m32s, every 1.0s
Tasks:  932 outstanding, 7.50/s created, 1.50/s destroyed, growth +120/min
Trust:  exact since attach, maps 12.0% full, census agrees, nothing dropped
Probes: 240 hits/s of 480 ns, overhead 0% of a core

shop.cart.refresh  leak 93%
defined at /srv/shop/cart.py:42
process 812 uvicorn, Python 3.11.2, counts: since-attach
Tasks   812 outstanding of 912 created, 100 destroyed
Rates   2.50/s created, 0.50/s destroyed, growth +120/min
Ages    oldest 5m12s, median 20s
States  800 pending, 3 of them cancelled and still alive; 12 done, 1 failed
Holding 96.0MiB +- 4.00MiB, estimated from 40 of them
Held by set `background` of module app (812 items)
Census  0.8s ago, 12ms, 1,203 tasks = kernel's; 0 unknown, 0 not found
task-leak, 93% sure, for 1 min 40 s: 812 of 812 tasks created at api.py:31 by
`handler` in the last 60 s still exist; +2/s; oldest 5 min 12 s

Waiting at, innermost first (37 of 40 looked at wait here)
  /usr/lib/python3.11/asyncio/queues.py:158 Queue.get
  /srv/shop/cart.py:57 refresh

Created by, innermost first
  /usr/lib/python3.11/asyncio/tasks.py:361 create_task
  /srv/shop/api.py:31 handler
  /srv/shop/app.py:8 main

Age of the outstanding tasks
     < 1s     12 █
   1s-10s      0
   10s-1m    600 ███████████████████████████████████████████████████████████████
   1m-10m    200 █████████████████████

Outstanding, newest at the right
      8                                                                       ▃█
                                                                            ▁▆██
                                                                           ▄████
                                                                         ▂▇█████
                                                                        ▅███████
EscBack tTasks iProcess Up/DownScroll SpacePause ?Help
)");
}

TEST_CASE("drill-down of what only the census sees") {
  CHECK(text(page_of(Page::site, 4), {80, 24}) == R"(
asyncleak-top 14:03:22 db1 up 3d04h, watching 2 processes for 5m32s, every 1.0s
Tasks:  932 outstanding, 7.50/s created, 1.50/s destroyed, growth +120/min
Trust:  exact since attach, maps 12.0% full, census agrees, nothing dropped
Probes: 240 hits/s of 480 ns, overhead 0% of a core

feed.ticks  steady
defined at /srv/shop/feed.py:9
process 812 uvicorn, Python 3.11.2, counts: since-attach
Count   7 async generators were started and not finished, growth 0/min
Census  0.8s ago, 12ms, 1,203 tasks = kernel's; 0 unknown, 0 not found

Waiting at, innermost first (7 of 7 looked at wait here)
  /srv/shop/feed.py:14 ticks

Outstanding, newest at the right
      3                                                                        █
                                                                               █
                                                                              ▃█
                                                                              ██
                                                                              ██
                                                                             ▅██
                                                                             ███
                                                                             ███
EscBack tTasks iProcess Up/DownScroll SpacePause ?Help
)");
}

TEST_CASE("the process: counts, census, loops, memory") {
  CHECK(text(page_of(Page::process, 1), {80, 30}) == R"(
asyncleak-top 14:03:22 db1 up 3d04h, watching 2 processes for 5m32s, every 1.0s
Tasks:  932 outstanding, 7.50/s created, 1.50/s destroyed, growth +120/min
Trust:  exact since attach, maps 12.0% full, census agrees, nothing dropped
Probes: 240 hits/s of 480 ns, overhead 0% of a core

process 812 uvicorn, Python 3.11.2  leak
/usr/bin/uvicorn app:main
Counts  since-attach
Tasks   820 outstanding of 0 created, 0 destroyed; 800 pending, 20 done
Rates   -/s created, -/s destroyed, growth +120/min
Census  0.8s ago, 12ms, 1,203 tasks = kernel's; 0 unknown, 0 not found
Loop    _UnixSelectorEventLoop running: 3 ready, 1,200 timers (2 cancelled), 40
        transports, 7 async generators
Memory  RSS 100MiB: 61.0MiB small objects in 70.0MiB of arenas, 12.0MiB C heap,
        9.00MiB mapped, 1.00MiB stacks, 8.00MiB files, 0B shared
task-leak, 93% sure, for 1 min 40 s: 812 of 812 tasks created at api.py:31 by
`handler` in the last 60 s still exist; +2/s; oldest 5 min 12 s












EscBack Up/DownScroll SpacePause ?Help
)");
}
