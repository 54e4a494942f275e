#include "view/columns.h"

#include "report_fixture.h"

#include <catch2/catch.hpp>
#include <set>

using namespace asyncleak;

namespace {

std::vector<std::uint64_t> ids(const std::vector<const SiteRow*>& rows) {
  std::vector<std::uint64_t> all;
  for (const SiteRow* row : rows) all.push_back(row->identity->id);
  return all;
}

using Ids = std::vector<std::uint64_t>;

}  // namespace

TEST_CASE("every column is complete and its id is its own") {
  std::set<std::string_view> seen;
  for (const Column& column : columns()) {
    INFO(column.id);
    CHECK(seen.insert(column.id).second);
    CHECK_FALSE(column.title.empty());
    CHECK_FALSE(column.help.empty());
    CHECK_FALSE(column.json.empty());
    CHECK(column.width >= static_cast<int>(column.title.size()));
    CHECK(column.site_text != nullptr);
    CHECK(column.site_sort != nullptr);
    CHECK((column.process_text == nullptr) == (column.process_sort == nullptr));
    CHECK(find_column(column.id) == &column);
  }
  CHECK(find_column("nonsense") == nullptr);
  CHECK(find_column(default_sort) != nullptr);
}

TEST_CASE("cells of a leak, with its process") {
  const Report report = example_report();
  const ProcessRow* process = process_of(report, report.sites[0]);
  REQUIRE(process == &report.processes[0]);
  std::vector<std::string> cells;
  for (const Column& column : columns()) cells.push_back(column.site_text(report.sites[0], process));
  CHECK(cells == std::vector<std::string>{"42",    "app \"x\"?", "task",  "Conn.waiter", "412",
                                          "-",     "-",          "+84.0", "2.00",        "0.50",
                                          "4m58s", "2m29s",      "-",     "-",           "-",
                                          "-",     "leak",       "97%",   "12.4k",       "/srv/app.py:31 handler"});
}

TEST_CASE("lower bounds are marked") {
  SiteRow row = pool_site();
  row.at_least = true;
  CHECK(find_column("outstanding")->site_text(row, nullptr) == ">=8");
  CHECK(find_column("oldest")->site_text(row, nullptr) == ">1h06m");
  CHECK(find_column("comm")->site_text(row, nullptr) == "-");
}

TEST_CASE("rows sort by the column, unknown last, ties by id") {
  Report report;
  report.sites = {site_row(1, 1, "b", 5), site_row(2, 1, "a", 7), site_row(3, 1, "c", 7), site_row(4, 1, "d", 1)};
  report.sites[0].oldest_s = 3;
  report.sites[1].oldest_s = 9;
  CHECK(ids(sort_rows(report, "outstanding")) == Ids{2, 3, 1, 4});
  CHECK(ids(sort_rows(report, "outstanding", true)) == Ids{4, 1, 2, 3});
  CHECK(ids(sort_rows(report, "coroutine")) == Ids{2, 1, 3, 4});
  CHECK(ids(sort_rows(report, "oldest")) == Ids{2, 1, 3, 4});
  CHECK(ids(sort_rows(report, "oldest", true)) == Ids{1, 2, 3, 4});
}

TEST_CASE("the default order puts the worse verdict before the larger growth") {
  Report report;
  report.sites = {site_row(1, 1, "pool", 500), site_row(2, 1, "leak", 30), site_row(3, 1, "growing", 40),
                  site_row(4, 1, "new", 3), site_row(5, 1, "newer", 9)};
  report.sites[0].growth_per_min = 1000;
  report.sites[0].verdict = Verdict::steady;
  report.sites[1].growth_per_min = 1;
  report.sites[1].verdict = Verdict::leak;
  report.sites[2].growth_per_min = 100;
  report.sites[2].verdict = Verdict::growing;
  CHECK(ids(sort_rows(report, default_sort)) == Ids{2, 3, 1, 5, 4});
  CHECK(ids(sort_rows(report, "nonsense")) == Ids{2, 3, 1, 5, 4});
}

TEST_CASE("processes sort by what they have") {
  const Report report = example_report();
  CHECK(sort_processes(report, "outstanding").front()->process.pid == 42);
  CHECK(sort_processes(report, "comm").front()->process.pid == 42);
  CHECK(sort_processes(report, "comm", true).front()->process.pid == 43);
  CHECK(sort_processes(report, "created_at").front()->process.pid == 42);
}

TEST_CASE("a process that is not observed has no numbers, not zeros, and stands last") {
  Report report = example_report();
  const ProcessRow& unknown = report.processes[1];
  for (const char* id : {"outstanding", "growth", "created_per_s", "destroyed_per_s", "verdict", "created_total"}) {
    INFO(id);
    CHECK(find_column(id)->process_text(unknown) == "-");
    for (const bool reversed : {false, true}) {
      report.processes[0].created_per_s = report.processes[0].destroyed_per_s = 1;
      CHECK(sort_processes(report, id, reversed).back()->process.pid == 43);
    }
  }
}

TEST_CASE("frames in one cell") {
  CHECK(format_frame({"handler", "/srv/app.py", 31}) == "/srv/app.py:31 handler");
  CHECK(format_frame_short({"handler", "/srv/app.py", 31}) == "app.py:31 handler");
  CHECK(format_frame({"", "", std::nullopt}) == "?");
}
