#include "screen_fixture.h"
#include "view/graph.h"
#include "view/screen.h"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace asyncleak;

namespace {

UiState drilled(std::uint64_t id) {
  UiState ui;
  ui.page = Page::site;
  ui.selected_site = id;
  return ui;
}

}  // namespace

TEST_CASE("drill-down: identity, numbers, finding, stack, ages, history") {
  CHECK("\n" + to_text(render(test::report(), drilled(1), {80, 40})) == R"(
asyncleak-top 14:03:22 db1 up 3d04h, watching 2 processes for 5m32s, every 1.0s
Tasks:  932 outstanding, 7.50/s created, 1.50/s destroyed, growth +120/min
Trust:  exact since attach, maps 12.0% full, nothing dropped
Probes: 240 hits/s of 480 ns, overhead 0% of a core

shop.cart.refresh  leak 93%
defined at /srv/shop/cart.py:42
process 812 uvicorn, Python 3.11.2, counts: since-attach
Tasks   812 outstanding of 912 created, 100 destroyed
Rates   2.50/s created, 0.50/s destroyed, growth +120/min
Ages    oldest 5m12s, median 20s
task-leak, 93% sure, for 1 min 40 s: 812 of 812 tasks created at api.py:31 by
`handler` in the last 60 s still exist; +2/s; oldest 5 min 12 s

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
      8                                                                        █
                                                                              ▆█
                                                                             ▄██
                                                                            ▂███
                                                                            ████
                                                                           █████
                                                                          ▆█████
                                                                         ▄██████
                                                                        ▂███████
                                                                        ████████



EscBack tTasks iProcess Up/DownScroll SpacePause ?Help
)");
}

TEST_CASE("drill-down: the user's frames stand out from asyncio's") {
  const ScreenFrame frame = render(test::report(), drilled(1), {80, 40});
  CHECK(frame.at(15, 2).role == Role::dim);
  CHECK(frame.at(16, 2).role == Role::strong);
}

TEST_CASE("drill-down in ASCII has no other characters") {
  UiState ui = drilled(1);
  ui.ascii = true;
  const std::string text = to_text(render(test::report(), ui, {100, 50}));
  CHECK(std::none_of(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0x80U) != 0; }));
}

TEST_CASE("drill-down into a site that is gone") {
  const std::string text = to_text(render(test::report(), drilled(99), {80, 24}));
  CHECK(text.find("This site is gone: its process has ended. Esc goes back.") != std::string::npos);
}

TEST_CASE("graph: from zero to the maximum, newest at the right") {
  using Rows = std::vector<std::string>;
  CHECK(graph({0, 1, 2, 4, 8}, 5, 1, false) == Rows{" ▁▂▄█"});
  CHECK(graph({0, 1, 2, 4, 8}, 5, 1, true) == Rows{" ..-#"});
  CHECK(graph({4, 8}, 4, 2, false) == Rows{"   █", "  ██"});
  CHECK(graph({0.001, 1000}, 2, 1, false) == Rows{"▁█"});  // little is not nothing
  CHECK(graph({1, 3, 5, 7}, 2, 1, true) == Rows{":#"});    // means of two
  CHECK(graph({}, 3, 1, false) == Rows{"   "});
  CHECK(graph({0, 0}, 2, 1, false) == Rows{"  "});
  CHECK(bar(1, 1000, 10, true) == "#");
  CHECK(bar(500, 1000, 10, true) == "#####");
  CHECK(bar(0, 1000, 10, true).empty());
}

TEST_CASE("a site shows the steps that held its loop, and the tasks that were lost") {
  Report report = test::report();
  const auto shows = [&](std::string_view line) {
    return to_text(render(report, drilled(1), {100, 40})).find(line) != std::string::npos;
  };
  CHECK_FALSE(shows("Steps "));
  CHECK_FALSE(shows("Lost "));
  report.probes.slow_step_ns = 100'000'000;
  report.sites[0].slow_steps = SlowSteps{};
  report.sites[0].destroyed_pending = 31;
  CHECK(shows("\nSteps   0 held the loop for more than 100ms\n"));
  CHECK(shows("\nLost    31 destroyed before they finished\n"));
  report.sites[0].slow_steps = SlowSteps{12, 1'200'000'000, 4'100'000'000};
  CHECK(shows("\nSteps   12 held the loop for more than 100ms, the longest 1.2s; one has for 4.1s and goes on\n"));
}
