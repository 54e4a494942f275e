#include "view/screen.h"
#include "screen_fixture.h"

#include <catch2/catch.hpp>

using namespace asyncleak;

namespace {

std::vector<std::string> lines_of(const ScreenFrame& frame) {
  std::vector<std::string> lines;
  std::string text = to_text(frame);
  while (!text.empty()) {
    lines.push_back(text.substr(0, text.find('\n')));
    text.erase(0, text.find('\n') + 1);
  }
  return lines;
}

Role role_at(const ScreenFrame& frame, int row) { return frame.at(row, 0).role; }

bool shows(const ScreenFrame& frame, std::string_view text) { return to_text(frame).find(text) != std::string::npos; }

}  // namespace

TEST_CASE("80x24: the answer is there, whole") {
  CHECK("\n" + to_text(render(test::report(), {}, {80, 24})) == R"(
asyncleak-top 14:03:22 db1 up 3d04h, watching 2 processes for 5m32s, every 1.0s
Tasks:  932 outstanding, 7.50/s created, 1.50/s destroyed, growth +120/min
Trust:  exact since attach, maps 12.0% full, nothing dropped
Probes: 240 hits/s of 480 ns, overhead 0% of a core
LEAK shop.cart.refresh (pid 812): 812 of 812 tasks created at api.py:31 by
`handler` in the last 60 s still exist; +2/s; oldest 5 min 12 s
3 sites by +/MIN
 PID COROUTINE               OUT  +/MIN OLDEST VERDICT CONF CREATED AT
 812 shop.cart.refresh       812   +120  5m12s leak     93% api.py:31 handler
 812 serve                     8      0  5m12s steady   93% api.py:31 handler
1907 jobs.Queue.run          112      0  5m12s churn    93% api.py:31 handler












?Help qQuit EnterDetails !Findings pProcess sSort /Search fFilter SpacePause
)");
}

TEST_CASE("200x50: the full creation site, the sparkline and every column") {
  const auto lines = lines_of(render(test::report(), {}, {200, 50}));
  REQUIRE(lines.size() == 50);
  CHECK(
      lines[4] ==
      R"(LEAK shop.cart.refresh (pid 812): 812 of 812 tasks created at api.py:31 by `handler` in the last 60 s still exist; +2/s; oldest 5 min 12 s)");
  CHECK(
      lines[6] ==
      R"( PID COMMAND KIND COROUTINE               OUT  +/MIN  NEW/s  END/s OLDEST AGE p50 VERDICT CONF CREATED HISTORY                  CREATED AT)");
  CHECK(
      lines[7] ==
      R"( 812 uvicorn task shop.cart.refresh       812   +120   2.50   0.50  5m12s     20s leak     93%     912                 ▁▂▃▄▅▆▇█ /srv/shop/api.py:31 handler < app.py:8 main)");
  CHECK(
      lines[9] ==
      R"(1907 worker  task jobs.Queue.run          112      0   2.50   0.50  5m12s     20s churn    93%     212                 ▁▂▃▄▅▆▇█ /srv/shop/api.py:31 handler < app.py:8 main)");
}

TEST_CASE("40x10: the leak and its numbers are left") {
  CHECK("\n" + to_text(render(test::report(), {}, {40, 10})) == R"(
asyncleak-top 14:03:22 db1 up 3d04h, ...
Tasks:  932 outstanding, 7.50/s creat...
LEAK shop.cart.refresh (pid 812): 812 of
812 tasks created at api.py:31 by `ha...
3 sites by +/MIN
 PID COROUTINE               OUT  +/MIN
 812 shop.cart.refresh       812   +120
 812 serve                     8      0
1907 jobs.Queue.run          112      0
?Help qQuit EnterDetails !Findings
)");
}

TEST_CASE("no size crashes") {
  const Report report = test::report();
  for (const Page page :
       {Page::table, Page::site, Page::tasks, Page::process, Page::findings, Page::help, Page::sort}) {
    for (const bool by_process : {false, true}) {
      UiState ui;
      ui.page = page;
      ui.by_process = by_process;
      ui.selected_site = 1;
      for (int rows = 0; rows < 30; ++rows) {
        for (const int columns : {0, 1, 2, 3, 7, 20, 21, 60, 101, 300}) {
          const ScreenFrame frame = render(report, ui, {columns, rows});
          CHECK(frame.size().rows == rows);
        }
      }
    }
  }
}

TEST_CASE("roles: the leak is bad, the selected row selected, lost events bad") {
  Report report = test::report();
  ScreenFrame frame = render(report, {}, {80, 24});
  CHECK(role_at(frame, 4) == Role::bad);  // the finding
  CHECK(role_at(frame, 7) == Role::title);
  CHECK(role_at(frame, 8) == Role::selected);  // whole row
  CHECK(frame.at(8, 79).role == Role::selected);
  CHECK(frame.at(2, 8).role == Role::good);

  report.dropped_total = 12;
  report.probes.drops = {{"map_full", "", 12}, {"stack", "", 0}};
  frame = render(report, {}, {80, 24});
  CHECK(lines_of(frame)[2] == "Trust:  exact since attach, maps 12.0% full, 12 dropped (map_full 12)");
  CHECK(frame.at(2, 26).role == Role::normal);
  CHECK(frame.at(2, 50).role == Role::bad);
}

TEST_CASE("processes instead of sites; a warning instead of the command line") {
  Report report = test::report();
  report.processes[1].process.tasks = Coverage::none;
  report.processes[1].process.warnings = {"no asyncio yet"};
  UiState ui;
  ui.by_process = true;
  const auto lines = lines_of(render(report, ui, {80, 24}));
  CHECK(lines[6] == R"(2 processes by +/MIN)");
  CHECK(lines[7] == R"( PID COMMAND    OUT  +/MIN  NEW/s  BYTES VERDICT COMMAND LINE)");
  CHECK(lines[8] == R"( 812 uvicorn    820   +120      - 100MiB leak    /usr/bin/uvicorn app:main)");
  CHECK(lines[9] == R"(1907 worker       -      -      - 100MiB -       no asyncio yet)");
}

TEST_CASE("nothing to show says why") {
  Report report = test::report();
  report.sites.clear();
  report.findings.clear();
  CHECK(shows(render(report, {}, {80, 24}), "no task created since attach in 2 processes watched"));

  for (auto& row : report.processes) row.process.tasks = Coverage::none;
  report.processes[0].process.warnings = {"not CPython"};
  CHECK(shows(render(report, {}, {80, 24}), "no asyncio process yet: waiting"));
  CHECK(shows(render(report, {}, {80, 24}), "812 uvicorn: not CPython"));

  UiState ui;
  ui.filter = "nosuch";
  CHECK(shows(render(test::report(), ui, {80, 24}), "nothing matches the filter \"nosuch\" (Esc clears it)"));
}

TEST_CASE("wide characters take two columns and names are cut at the left") {
  Report report = test::report();
  auto identity = std::make_shared<SiteIdentity>(*report.sites[0].identity);
  identity->coroutine = "待機.とても長い名前の関数.処理する関数";
  report.sites[0].identity = identity;
  report.findings.clear();
  const ScreenFrame frame = render(report, {}, {60, 12});
  const auto lines = lines_of(frame);
  CHECK(lines[3] == R"(COROUTINE                OUT  +/MIN VERDICT CREATED AT)");
  CHECK(lines[4] == R"(...関数.処理する関数     812   +120 leak    api.py:31 han...)");
  CHECK(lines[5] == R"(serve                      8      0 steady  api.py:31 han...)");
  CHECK(frame.at(4, 3).character == U'関');
  CHECK(frame.at(4, 4).character == 0);
}

TEST_CASE("names from other processes cannot reach the terminal as escape sequences") {
  Report report = test::report();
  auto identity = std::make_shared<SiteIdentity>(*report.sites[0].identity);
  identity->coroutine = "evil\033[2J\nname\xff";
  report.sites[0].identity = identity;
  report.findings.clear();
  UiState ui;
  CHECK(shows(render(report, ui, {80, 24}), "evil?[2J?name\xEF\xBF\xBD"));
  ui.page = Page::site;
  ui.selected_site = 1;
  CHECK(shows(render(report, ui, {80, 24}), "evil?[2J?name\xEF\xBF\xBD"));
}

TEST_CASE("a pause, a prompt and a message are visible") {
  UiState ui;
  ui.paused = true;
  ui.prompt = Prompt::search;
  ui.search = "ref";
  auto lines = lines_of(render(test::report(), ui, {80, 24}));
  CHECK(lines.front().starts_with("asyncleak-top PAUSED 14:03:22 db1"));
  CHECK(lines.back() == "Search: ref");
  ui.prompt = Prompt::none;
  ui.message = "wrote x.json";
  CHECK(lines_of(render(test::report(), ui, {80, 24})).back() == "wrote x.json");
}
