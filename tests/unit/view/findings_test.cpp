#include "view/finding_text.h"
#include "view/findings_list.h"
#include "view/keys.h"
#include "view/screen.h"

#include "screen_fixture.h"

#include <catch2/catch.hpp>

using namespace asyncleak;

namespace {

// The leak with its hint, a growing site, and a process over its limit.
Report three_findings() {
  Report report = test::report();
  Finding& leak = report.findings[0];
  leak.waiting_in = Frame{"refresh", "/srv/shop/cart.py", 57};
  leak.pattern = "wait-loser";
  leak.hint = "cancel the tasks that asyncio.wait(return_when=FIRST_COMPLETED) left pending";
  Finding growing;
  growing.kind = "task-leak";
  growing.pid = 1907;
  growing.coroutine = "jobs.Queue.run";
  growing.site = site_key(*report.sites[2].identity);
  growing.confidence = 0.4;
  growing.since_s = 9;
  growing.why = "112 tasks created at api.py:31 by `handler` exist; +30/min; oldest 12 s";
  Finding over;
  over.kind = "overload";
  over.pid = 812;
  over.since_s = 3600;
  over.why = "820 tasks exist in uvicorn, more than 100";
  report.findings.push_back(growing);
  report.findings.push_back(over);
  return report;
}

struct Session {
  Report report = three_findings();
  UiState ui;
  Size size{80, 24};

  void press(KeyCode code) { (void)handle_key(ui, {code}, report, size); }
  void type(char32_t character) { (void)handle_key(ui, {KeyCode::character, character}, report, size); }
  [[nodiscard]] std::string screen() const { return "\n" + to_text(render(report, ui, size)); }
};

}  // namespace

TEST_CASE("80x24: every finding with its evidence, its places and its hint, worst first") {
  Session session;
  session.type(U'!');
  CHECK(session.screen() == R"(
asyncleak-top 14:03:22 db1 up 3d04h, watching 2 processes for 5m32s, every 1.0s
Tasks:  932 outstanding, 7.50/s created, 1.50/s destroyed, growth +120/min
Trust:  exact since attach, maps 12.0% full, nothing dropped
Probes: 240 hits/s of 480 ns, overhead 0% of a core

Findings, worst first (Enter: its site)
LEAK task-leak shop.cart.refresh: pid 812 uvicorn, 93% sure, for 1 min 40 s
  812 of 812 tasks created at api.py:31 by `handler` in the last 60 s still
  exist; +2/s; oldest 5 min 12 s
  created in /srv/shop/api.py:31 handler
  waiting in /srv/shop/cart.py:57 refresh
  hint: cancel the tasks that asyncio.wait(return_when=FIRST_COMPLETED) left
  pending

WARNING task-leak jobs.Queue.run: pid 1907 worker, 40% sure, for 9 s
  112 tasks created at api.py:31 by `handler` exist; +30/min; oldest 12 s

WARNING overload: pid 812 uvicorn, for 1 h
  820 tasks exist in uvicorn, more than 100




EscBack EnterSite Up/DownSelect SpacePause ?Help
)");
}

TEST_CASE("200x50: a line each where it fits") {
  Session session;
  session.size = {200, 50};
  session.type(U'!');
  CHECK(session.screen().find(R"(
LEAK task-leak shop.cart.refresh: pid 812 uvicorn, 93% sure, for 1 min 40 s
  812 of 812 tasks created at api.py:31 by `handler` in the last 60 s still exist; +2/s; oldest 5 min 12 s
  created in /srv/shop/api.py:31 handler
  waiting in /srv/shop/cart.py:57 refresh
  hint: cancel the tasks that asyncio.wait(return_when=FIRST_COMPLETED) left pending

)") != std::string::npos);
}

TEST_CASE("of a path that is too long the end is left, and the function stands below") {
  Session session;
  session.report.findings[0].created_in =
      Frame{"WebSocketProtocol.ws_handler",
            "/usr/lib/python3/dist-packages/uvicorn/protocols/websockets/websockets_impl.py", 176};
  session.type(U'!');
  CHECK(session.screen().find(R"(
  created in ...ist-packages/uvicorn/protocols/websockets/websockets_impl.py:176
             WebSocketProtocol.ws_handler
)") != std::string::npos);
}

TEST_CASE("! opens and closes the findings from every page") {
  Session session;
  session.type(U'!');
  CHECK(session.ui.page == Page::findings);
  session.type(U'!');
  CHECK(session.ui.page == Page::table);
  session.press(KeyCode::enter);
  REQUIRE(session.ui.page == Page::site);
  session.type(U'!');
  session.press(KeyCode::escape);
  CHECK(session.ui.page == Page::site);
}

TEST_CASE("Enter goes to the finding's site, and back") {
  Session session;
  session.type(U'!');
  session.press(KeyCode::down);
  session.press(KeyCode::enter);
  CHECK(session.ui.page == Page::site);
  CHECK(session.ui.selected_site == 3U);
  session.press(KeyCode::escape);
  CHECK(session.ui.page == Page::findings);
  session.type(U'G');
  session.press(KeyCode::enter);
  CHECK(session.ui.page == Page::process);
  CHECK(session.screen().find("\nprocess 812 uvicorn, Python 3.11.2  leak\n") != std::string::npos);
}

TEST_CASE("a finding about a process whose sites are gone") {
  Session session;
  session.report.sites.clear();
  session.type(U'!');
  session.press(KeyCode::enter);
  CHECK(session.ui.page == Page::findings);
  session.ui.by_process = true;
  session.press(KeyCode::enter);
  CHECK(session.ui.page == Page::process);
}

TEST_CASE("the selection stays with what it is about when the order changes; without it, where it was") {
  Session session;
  session.type(U'!');
  session.press(KeyCode::down);
  std::swap(session.report.findings[0], session.report.findings[1]);
  session.press(KeyCode::enter);
  CHECK(session.ui.selected_site == 3U);
  session.press(KeyCode::escape);
  session.press(KeyCode::down);
  session.press(KeyCode::enter);
  CHECK(session.ui.selected_site == 1U);
  session.press(KeyCode::escape);
  session.report.findings.erase(session.report.findings.begin() + 1);
  session.press(KeyCode::enter);
  CHECK(session.ui.page == Page::process);  // overload, which moved up
}

TEST_CASE("the selected finding is on the screen, whole") {
  Session session;
  session.size = {80, 16};
  for (int i = 0; i < 30; ++i) {
    session.report.findings.push_back(session.report.findings[1]);
    session.report.findings.back().coroutine = "job" + std::to_string(i);
  }
  session.type(U'!');
  for (int i = 0; i < 20; ++i) session.press(KeyCode::down);
  CHECK(session.screen().find("WARNING task-leak job17: pid 1907 worker, 40% sure, for 9 s\n  112 tasks") !=
        std::string::npos);
  session.type(U'g');
  CHECK(session.screen().find("\nFindings, worst first (Enter: its site)\nLEAK task-leak shop") != std::string::npos);
}

TEST_CASE("without findings the page says so, and no key does harm") {
  Session session;
  session.report.findings.clear();
  session.type(U'!');
  session.press(KeyCode::down);
  session.press(KeyCode::enter);
  CHECK(session.screen().find("\nNo finding stands: nothing accumulates that has been watched long enough\n") !=
        std::string::npos);
}

TEST_CASE("only the findings of the one process that is looked at") {
  Session session;
  session.ui.only_pid = 1907;
  CHECK(shown_findings(session.report, session.ui).size() == 1);
  CHECK(worst_finding(session.report, session.ui)->coroutine == "jobs.Queue.run");
  session.ui.only_pid = 1;
  CHECK(worst_finding(session.report, session.ui) == nullptr);
}

TEST_CASE("the banner: the worst finding and, where there is room, its hint") {
  Session session;
  CHECK(session.screen().find(R"(
LEAK shop.cart.refresh (pid 812): 812 of 812 tasks created at api.py:31 by
`handler` in the last 60 s still exist; +2/s; oldest 5 min 12 s
hint: cancel the tasks that asyncio.wait(return_when=FIRST_COMPLETED) left pe...
3 sites by +/MIN; 3 findings
)") != std::string::npos);
  session.size = {80, 12};
  CHECK(session.screen().find("hint:") == std::string::npos);
  session.size = {160, 12};
  CHECK(session.screen().find("\nhint: cancel the tasks") != std::string::npos);
}

TEST_CASE("the pid is left out where there is only one process") {
  Report report = three_findings();
  report.processes.resize(1);
  const auto lines = banner_lines(report, report.findings[0], 200, {});
  CHECK(lines[0][0].text.starts_with("LEAK shop.cart.refresh: 812 of 812 tasks created at api.py:31 by `handler`"));
}

TEST_CASE("a site's page has its finding with confidence and hint") {
  Session session;
  session.press(KeyCode::enter);
  CHECK(session.screen().find(R"(
task-leak, 93% sure, for 1 min 40 s: 812 of 812 tasks created at api.py:31 by
`handler` in the last 60 s still exist; +2/s; oldest 5 min 12 s
hint: cancel the tasks that asyncio.wait(return_when=FIRST_COMPLETED) left
pending
)") != std::string::npos);
}

TEST_CASE("confidence is rounded down: what is not certain is not 100%") {
  CHECK(format_confidence(0.999) == "99%");
  CHECK(format_confidence(1) == "100%");
  CHECK(format_confidence(0) == "0%");
}
