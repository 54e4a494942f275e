#include "view/keys.h"
#include "screen_fixture.h"
#include "view/rows.h"
#include "view/screen.h"

#include <catch2/catch.hpp>

using namespace asyncleak;

namespace {

constexpr Size size{80, 24};

struct Session {
  Report report = test::report();
  UiState ui;

  Action press(KeyCode code) { return handle_key(ui, {code}, report, size); }
  Action type(std::u32string_view text) {
    Action action = Action::none;
    for (const char32_t character : text) action = handle_key(ui, {KeyCode::character, character}, report, size);
    return action;
  }
  // The row under the cursor.
  [[nodiscard]] std::string selected() const {
    const auto rows = visible_rows(report, ui);
    if (rows.empty()) return "";
    const TableRow& row = rows.at(static_cast<std::size_t>(selected_index(rows, ui)));
    return row.site != nullptr ? row.site->identity->coroutine : row.process->process.comm;
  }
  [[nodiscard]] std::string screen() const { return to_text(render(report, ui, size)); }
  [[nodiscard]] bool shows(std::string_view text) const { return screen().find(text) != std::string::npos; }
};

// A hundred sites "task_0".. in the order of their ids.
Session long_session() {
  Session session;
  session.report.findings.clear();
  session.report.sites.clear();
  for (std::uint64_t id = 0; id < 100; ++id) {
    session.report.sites.push_back(
        test::site(id, session.report.processes[0], "task_" + std::to_string(id), 5, 0, Verdict::steady));
  }
  return session;
}

}  // namespace

TEST_CASE("arrows and letters move the selection, never beyond the ends") {
  Session session = long_session();
  CHECK(session.selected() == "task_0");
  session.press(KeyCode::up);
  CHECK(session.selected() == "task_0");
  session.press(KeyCode::down);
  session.type(U"jj");
  CHECK(session.selected() == "task_3");
  session.type(U"k");
  CHECK(session.selected() == "task_2");
  session.type(U"G");
  CHECK(session.selected() == "task_99");
  CHECK(session.shows("task_99"));
  session.press(KeyCode::page_up);
  CHECK(session.selected() == "task_82");
  CHECK(session.shows("task_98"));  // scrolled no more than needed
  session.press(KeyCode::home);
  CHECK(session.selected() == "task_0");
  session.press(KeyCode::end);
  CHECK(session.selected() == "task_99");
}

TEST_CASE("the selection follows the site, not the row") {
  Session session;
  session.type(U"jj");
  REQUIRE(session.selected() == "jobs.Queue.run");
  session.report.sites[2].growth_per_min = 9000;
  session.report.sites[2].verdict = Verdict::leak;  // now first
  CHECK(session.selected() == "jobs.Queue.run");
  session.type(U"I");
  CHECK(session.selected() == "jobs.Queue.run");
  session.type(U"I");
  session.report.sites.erase(session.report.sites.begin() + 2);  // its process ended
  CHECK(session.selected() == "serve");                          // the row where it was
}

TEST_CASE("equal rows keep their order: by id") {
  const Session session = long_session();
  const auto rows = visible_rows(session.report, session.ui);
  for (std::size_t i = 0; i < rows.size(); ++i) CHECK(rows[i].site->identity->id == i);
}

TEST_CASE("search goes to the row while typing, n to the next, around the end") {
  Session session = long_session();
  session.type(U"/task_42");
  CHECK(session.selected() == "task_42");
  CHECK(session.shows("Search: task_42"));
  session.press(KeyCode::enter);
  session.type(U"n");
  CHECK(session.selected() == "task_42");
  session.type(U"/_9");
  session.press(KeyCode::enter);
  CHECK(session.selected() == "task_90");
  session.type(U"n");
  CHECK(session.selected() == "task_91");
  session.type(U"NN");
  CHECK(session.selected() == "task_9");
  session.type(U"/nosuch");
  CHECK(session.selected() == "task_9");
  session.press(KeyCode::enter);
  session.type(U"n");
  CHECK(session.ui.search == "nosuch");
  CHECK(session.shows("not found: nosuch"));
}

TEST_CASE("letters in a prompt are text; backspace takes a character, also of several bytes") {
  Session session;
  CHECK(session.type(U"fqé") == Action::redraw);
  CHECK(session.ui.filter == "qé");
  session.press(KeyCode::backspace);
  CHECK(session.ui.filter == "q");
  session.press(KeyCode::backspace);
  CHECK(session.ui.prompt == Prompt::filter);
  session.press(KeyCode::backspace);
  CHECK(session.ui.prompt == Prompt::none);
}

TEST_CASE("filter: coroutine, process or file, any case; Esc clears it") {
  Session session;
  session.type(U"fWORKER");
  session.press(KeyCode::enter);
  CHECK(visible_rows(session.report, session.ui).size() == 1);
  CHECK(session.selected() == "jobs.Queue.run");
  CHECK(session.shows("1 site with \"WORKER\" by +/MIN"));
  session.press(KeyCode::escape);
  CHECK(visible_rows(session.report, session.ui).size() == 3);
  session.type(U"\\api.py");
  CHECK(visible_rows(session.report, session.ui).size() == 3);  // the creation stack's files count
  session.press(KeyCode::escape);
  CHECK(session.ui.filter.empty());
  CHECK(session.ui.prompt == Prompt::none);
}

TEST_CASE("sort: s chooses a column, < > move along those shown, I reverses") {
  Session session;
  session.type(U"s");
  CHECK(session.shows("Sort by (Enter chooses, Esc leaves)"));
  for (int i = 0; i < 3; ++i) session.press(KeyCode::up);
  session.press(KeyCode::enter);
  CHECK(session.ui.page == Page::table);
  CHECK(session.ui.sort == "outstanding");
  CHECK(visible_rows(session.report, session.ui).back().site->identity->coroutine == "serve");
  session.type(U"I");
  CHECK(visible_rows(session.report, session.ui).front().site->identity->coroutine == "serve");
  session.type(U"<");
  CHECK(session.ui.sort == "coroutine");
  CHECK_FALSE(session.ui.reversed);
  session.type(U"<<<<<");
  CHECK(session.ui.sort == "pid");
  session.type(U">>>>>>>>>>>>");
  CHECK(session.ui.sort == "created_at");
  session.type(U"s");
  session.press(KeyCode::escape);
  CHECK(session.ui.sort == "created_at");
}

TEST_CASE("Enter drills down and Esc comes back to the same row") {
  Session session;
  session.type(U"jj");
  session.press(KeyCode::enter);
  CHECK(session.ui.page == Page::site);
  CHECK(session.shows("jobs.Queue.run  churn"));
  CHECK(session.type(U"?") == Action::redraw);
  CHECK(session.ui.page == Page::help);
  session.press(KeyCode::escape);
  CHECK(session.ui.page == Page::site);
  CHECK(session.type(U"q") == Action::redraw);  // back, not out
  CHECK(session.ui.page == Page::table);
  CHECK(session.selected() == "jobs.Queue.run");
}

TEST_CASE("processes: p, Enter to the sites of one, Esc back") {
  Session session;
  session.type(U"p");
  CHECK(session.selected() == "uvicorn");
  session.press(KeyCode::down);
  session.press(KeyCode::enter);
  CHECK(session.ui.only_pid == 1907);
  CHECK(session.shows("1 site of process 1907 (Esc: all) by +/MIN"));
  CHECK(session.selected() == "jobs.Queue.run");
  CHECK_FALSE(session.shows("LEAK"));  // another process's
  CHECK(session.type(U"q") == Action::redraw);
  CHECK(session.selected() == "worker");
  session.type(U"p");
  CHECK(session.selected() == "shop.cart.refresh");
}

TEST_CASE("pages scroll to their last line and no further") {
  Session session;
  session.type(U"?");
  session.press(KeyCode::end);
  CHECK(session.shows("not watched long enough to say"));
  const int bottom = session.ui.page_scroll;
  session.press(KeyCode::down);
  CHECK(session.ui.page_scroll == bottom);
  session.press(KeyCode::home);
  CHECK(session.ui.page_scroll == 0);
}

TEST_CASE("delay doubles and halves within its limits") {
  Session session;
  CHECK(session.type(U"+") == Action::change_delay);
  CHECK(session.ui.delay_s == 2);
  session.type(U"----------");
  CHECK(session.ui.delay_s == 0.1);
  session.type(U"++++++++++++++++++++");
  CHECK(session.ui.delay_s == 3600);
}

TEST_CASE("what the main loop must do itself") {
  Session session;
  CHECK(session.type(U"w") == Action::write_snapshot);
  CHECK(session.type(U" ") == Action::redraw);
  CHECK(session.ui.paused);
  session.type(U"Z");
  CHECK_FALSE(session.ui.paused);
  CHECK(session.type(U"q") == Action::quit);
  CHECK(session.press(KeyCode::hangup) == Action::quit);
  CHECK(session.press(KeyCode::resize) == Action::redraw);
  CHECK(handle_key(session.ui, {KeyCode::function, 10}, session.report, size) == Action::quit);
  CHECK(session.type(U"y") == Action::none);
  session.ui.message = "written";
  CHECK(session.type(U"y") == Action::redraw);  // takes the message away
  CHECK(session.ui.message.empty());
}

TEST_CASE("m is about the process of the row, or of the page") {
  Session session;
  session.type(U"jj");
  CHECK(session.type(U"m") == Action::change_memory);
  CHECK(session.ui.memory_pid == 1907);
  CHECK(session.ui.page == Page::table);
  session.type(U"k");
  session.press(KeyCode::enter);
  CHECK(session.type(U"m") == Action::change_memory);
  CHECK(session.ui.memory_pid == 812);
  session.type(U"i");
  session.ui.memory_pid.reset();
  CHECK(session.type(U"m") == Action::change_memory);
  CHECK(session.ui.memory_pid == 812);
  session.type(U"?");
  CHECK(session.type(U"m") == Action::none);

  Session processes;
  processes.type(U"pj");
  CHECK(processes.type(U"m") == Action::change_memory);
  CHECK(processes.ui.memory_pid == 1907);
  processes.report = Report{};
  CHECK(processes.type(U"m") == Action::none);
}

TEST_CASE("no key does harm without rows") {
  Session session;
  session.report = Report{};
  for (const KeyCode code : {KeyCode::up, KeyCode::down, KeyCode::page_up, KeyCode::page_down, KeyCode::home,
                             KeyCode::end, KeyCode::enter, KeyCode::escape, KeyCode::left, KeyCode::right}) {
    session.press(code);
    CHECK_FALSE(session.screen().empty());
  }
  session.type(U"n<>Ips");
  CHECK(session.shows("Sort by"));
}

TEST_CASE("t asks for a look at the site's tasks, from the table, from its page, and again") {
  Session session;
  CHECK(session.type(U"t") == Action::inspect_site);
  CHECK(session.ui.page == Page::tasks);
  CHECK(session.ui.selected_site == 1U);
  CHECK(session.shows("not looked at yet"));
  CHECK(session.type(U"t") == Action::inspect_site);
  session.press(KeyCode::escape);
  CHECK(session.ui.page == Page::table);

  session.press(KeyCode::enter);
  CHECK(session.press(KeyCode::enter) == Action::inspect_site);
  CHECK(session.ui.page == Page::tasks);
  session.press(KeyCode::escape);
  CHECK(session.ui.page == Page::site);
  session.press(KeyCode::escape);
  CHECK(session.ui.page == Page::table);
}

TEST_CASE("i shows the process of the row; Esc goes back through every page") {
  Session session;
  session.type(U"p");
  CHECK(session.type(U"t") == Action::none);  // a process is many sites
  session.type(U"i");
  CHECK(session.ui.page == Page::process);
  CHECK(session.shows("process 812 uvicorn, Python 3.11.2  leak"));
  session.press(KeyCode::escape);
  session.type(U"p");

  session.press(KeyCode::enter);
  session.type(U"i");
  CHECK(session.shows("process 812 uvicorn, Python 3.11.2  leak"));
  session.type(U"?");
  CHECK(session.ui.page == Page::help);
  session.press(KeyCode::escape);
  CHECK(session.ui.page == Page::process);
  session.press(KeyCode::escape);
  CHECK(session.ui.page == Page::site);
  session.press(KeyCode::escape);
  CHECK(session.ui.page == Page::table);
}

TEST_CASE("a label is typed for the next sample") {
  Session session;
  CHECK(session.type(U"l") == Action::redraw);
  session.type(U"v2 q");
  CHECK(session.shows("Label: v2 q"));
  CHECK(session.press(KeyCode::enter) == Action::set_label);
  CHECK(session.ui.label == "v2 q");
  CHECK(session.ui.prompt == Prompt::none);
  session.type(U"l");
  CHECK(session.press(KeyCode::enter) == Action::redraw);  // nothing was typed
  session.type(U"lx");
  CHECK(session.press(KeyCode::escape) == Action::redraw);
  CHECK(session.ui.label.empty());
}

TEST_CASE("in a recording keys move in time") {
  Session session;
  CHECK(session.type(U".") == Action::none);  // live there is nothing to move in
  session.ui.playback.emplace();
  Playback& playback = *session.ui.playback;
  CHECK(session.type(U".") == Action::move_playback);
  CHECK(playback.step == 1);
  CHECK(session.ui.paused);  // a step is looked at
  CHECK(session.type(U",") == Action::move_playback);
  CHECK(playback.step == -1);
  for (const auto& [key, seconds] : {std::pair{U"]", 10.0}, {U"[", -10.0}, {U"}", 600.0}, {U"{", -600.0}}) {
    CHECK(session.type(key) == Action::move_playback);
    CHECK(playback.seek_s == seconds);
    CHECK(playback.step == 0);
  }
  session.type(U"++");
  CHECK(playback.speed == 4);
  session.type(U"-----");
  CHECK(playback.speed == 0.125);
  for (int i = 0; i < 20; ++i) session.type(U"+");
  CHECK(playback.speed == 4096);
  playback.speed = 0;
  session.type(U"-");
  CHECK(playback.speed == 2048);
  CHECK(session.ui.delay_s == 1);
  CHECK(session.type(U"m") == Action::redraw);
  CHECK(session.shows("needs the living process"));
  CHECK(session.type(U"l") == Action::redraw);
  CHECK(session.ui.prompt == Prompt::none);
}

TEST_CASE("a recording's title says where in it one is") {
  Session session;
  session.ui.playback = Playback{"night.alrec", 3725, 86'400, "deploy", 4, false, 0, 0};
  CHECK(session.shows("replaying night.alrec at 1h02m of 1d00h, x4, label deploy"));
  CHECK_FALSE(session.shows("watching"));
  session.ui.paused = true;
  CHECK(session.shows("asyncleak-top PAUSED"));
  session.ui.playback->at_end = true;
  CHECK(session.shows("asyncleak-top END"));
}
