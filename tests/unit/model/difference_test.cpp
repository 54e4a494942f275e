#include "model/difference.h"

#include <catch2/catch.hpp>

namespace asyncleak {
namespace {

struct SiteOf {
  std::string coroutine;
  std::uint64_t outstanding = 0, created = 0;
  Verdict verdict = Verdict::steady;
  std::vector<Frame> stack = {{"main", "/srv/app.py", 20}};
  std::string file = "/srv/app.py";
  int line = 10;
  pid_t pid = 42;
};

SiteRow row_of(const SiteOf& site) {
  auto identity = std::make_shared<SiteIdentity>();
  identity->pid = site.pid;
  identity->coroutine = site.coroutine;
  identity->file = site.file;
  identity->line = site.line;
  identity->created_at = site.stack;
  SiteRow row;
  row.identity = identity;
  row.outstanding = site.outstanding;
  row.created_total = site.created;
  row.destroyed_total = site.created - site.outstanding;
  row.verdict = site.verdict;
  return row;
}

Moment moment(double watched_s, const std::vector<SiteOf>& sites) {
  Moment made;
  made.watched_s = watched_s;
  for (const SiteOf& site : sites) {
    made.report.sites.push_back(row_of(site));
    made.report.outstanding += site.outstanding;
    made.report.created_total += site.created;
    made.report.destroyed_total += site.created - site.outstanding;
  }
  return made;
}

Moment later(double watched_s, const std::vector<SiteOf>& sites) {
  Moment made = moment(watched_s, sites);
  made.same_session = true;
  return made;
}

std::vector<std::string> order(const Difference& difference) {
  std::vector<std::string> names;
  for (const SiteDifference& site : difference.sites) names.push_back(site.identity().coroutine);
  return names;
}

const SiteDifference& only(const Difference& difference) {
  REQUIRE(difference.sites.size() == 1);
  return difference.sites.front();
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("two moments of one recording: what became more first, then less, then the rest") {
  const Difference difference = compare(moment(0, {{"same", 8, 8}, {"fewer", 30, 30}, {"few", 9, 9}, {"more", 5, 5}}),
                                        later(60, {{"same", 8, 8}, {"fewer", 3, 30}, {"few", 7, 9}, {"more", 25, 40}}));
  CHECK(order(difference) == Names{"more", "fewer", "few", "same"});
  const SiteDifference& more = difference.sites[0];
  CHECK(more.pairing == Pairing::exact);
  CHECK(more.outstanding() == 20);
  CHECK(more.unexplained == 20);
  CHECK(more.growth_per_min == 20);
  CHECK(difference.sites[1].outstanding() == -27);
  CHECK(difference.before.outstanding == 52);
  CHECK(difference.after.outstanding == 43);
}

TEST_CASE("the same place in several processes is one site") {
  SiteOf first{"waiter", 10, 10};
  SiteOf second = first;
  second.pid = 43;
  second.outstanding = 5;
  second.verdict = Verdict::leak;
  const SiteDifference& site = only(compare(moment(0, {first}), later(30, {first, second})));
  CHECK(site.before.outstanding == 10);
  CHECK(site.after.outstanding == 15);
  CHECK(site.after.created_total == 20);
  CHECK(site.after.verdict == Verdict::leak);
}

TEST_CASE("new and vanished sites") {
  const Difference difference = compare(moment(60, {{"old", 12, 12}}), moment(60, {{"fresh", 4, 4}}));
  CHECK(order(difference) == Names{"fresh", "old"});
  CHECK(difference.sites[0].before.identity == nullptr);
  CHECK(difference.sites[0].outstanding() == 4);
  CHECK(difference.sites[0].pairing == Pairing::none);
  CHECK(difference.sites[1].after.identity == nullptr);
  CHECK(difference.sites[1].outstanding() == -12);
}

TEST_CASE("a site stays itself when lines move, when the build lies elsewhere, and when both do") {
  const SiteOf was{
      "waiter",        3, 3, Verdict::steady, {{"spawn", "/opt/1/lib.py", 7}, {"main", "/opt/1/app.py", 20}},
      "/opt/1/lib.py", 2};  // fmt: skip
  const auto pairing = [&](const std::string& folder, int line_shift) {
    SiteOf is = was;
    is.line += line_shift;
    is.file = folder + "/lib.py";
    for (Frame& frame : is.stack) {
      frame.line = *frame.line + line_shift;
      frame.file = folder + frame.file.substr(std::string("/opt/1").size());
    }
    return only(compare(moment(60, {was}), moment(60, {is}))).pairing;
  };
  CHECK(pairing("/opt/1", 0) == Pairing::exact);
  CHECK(pairing("/opt/1", 5) == Pairing::lines);
  CHECK(pairing("/opt/2", 0) == Pairing::folders);
  CHECK(pairing("/opt/2", 5) == Pairing::lines_and_folders);
}

TEST_CASE("another function on the stack, another name or another file is another site") {
  const SiteOf was{"waiter", 3, 3};
  SiteOf name = was, file = was, stack = was;
  name.coroutine = "reader";
  file.file = "/srv/other.py";
  stack.stack[0].function = "other";
  for (const SiteOf& is : {name, file, stack}) {
    CHECK(compare(moment(60, {was}), moment(60, {is})).sites.size() == 2);
  }
}

TEST_CASE("a function that creates the same task in two places: in the order of their lines, exact ones first") {
  const auto at = [](int line, std::uint64_t outstanding) {
    SiteOf site{"waiter", outstanding, outstanding};
    site.stack[0].line = line;
    return site;
  };
  const auto pairs = [](const Difference& difference) {
    std::vector<std::pair<std::uint64_t, std::uint64_t>> all;
    for (const SiteDifference& site : difference.sites)
      all.emplace_back(site.before.outstanding, site.after.outstanding);
    std::sort(all.begin(), all.end());
    return all;
  };
  using Pairs = std::vector<std::pair<std::uint64_t, std::uint64_t>>;
  CHECK(pairs(compare(moment(60, {at(100, 2), at(9, 1)}), moment(60, {at(101, 2), at(12, 1)}))) ==
        Pairs{{1, 1}, {2, 2}});
  CHECK(pairs(compare(moment(60, {at(10, 1), at(20, 2)}), moment(60, {at(20, 2), at(12, 1), at(30, 7)}))) ==
        Pairs{{0, 7}, {1, 1}, {2, 2}});
}

TEST_CASE("twice the load is no change: the site that leaks comes first although others became more") {
  const std::vector<SiteOf> good = {{"request", 200, 60'000}, {"pool", 8, 8}, {"listener", 0, 600}};
  const std::vector<SiteOf> bad = {{"request", 400, 240'000}, {"pool", 8, 8}, {"listener", 120, 2400, Verdict::leak}};
  const Difference difference = compare(moment(60, good), moment(120, bad));
  CHECK(order(difference) == Names{"listener", "request", "pool"});
  CHECK(difference.sites[0].unexplained == 120);
  CHECK(difference.sites[0].growth_per_min == 60);
  CHECK(difference.sites[1].outstanding() == 200);
  CHECK(difference.sites[1].unexplained == 0);
}

TEST_CASE("more of what never ends is no load, nor is what one site alone has to do") {
  const std::vector<SiteOf> good = {{"request", 20, 6000}, {"pool", 8, 8}, {"refresh", 2, 60}};
  const std::vector<SiteOf> bad = {{"request", 21, 6000}, {"pool", 24, 24}, {"refresh", 20, 600}};
  const Difference difference = compare(moment(60, good), moment(60, bad));
  CHECK(order(difference) == Names{"refresh", "pool", "request"});
  CHECK(difference.sites[0].unexplained > 17.5);
  CHECK(difference.sites[1].unexplained == 16);
}

TEST_CASE("a slow leak comes before a burst, when the verdict names it") {
  const std::vector<SiteOf> good = {{"request", 20, 6000}, {"listener", 1, 60}};
  const std::vector<SiteOf> bad = {{"request", 320, 6000, Verdict::churn}, {"listener", 15, 60, Verdict::leak}};
  CHECK(order(compare(moment(60, good), moment(60, bad))) == Names{"listener", "request"});
}

TEST_CASE("a leak of both builds, watched for longer, is not what changed") {
  const std::vector<SiteOf> good = {{"known", 120, 120, Verdict::leak}, {"request", 2, 6000}};
  const std::vector<SiteOf> bad = {{"known", 480, 480, Verdict::leak}, {"request", 40, 24'000, Verdict::growing}};
  const Difference difference = compare(moment(60, good), moment(240, bad));
  CHECK(order(difference) == Names{"request", "known"});
  CHECK(difference.sites[1].unexplained == 0);
  CHECK(difference.sites[0].unexplained == 38);
  CHECK(difference.sites[0].growth_per_min == 9.5);
}

TEST_CASE("inside one recording a leak that goes on is what changed") {
  const Difference difference = compare(moment(60, {{"known", 60, 60, Verdict::leak}, {"request", 40, 6000}}),
                                        later(180, {{"known", 180, 180, Verdict::leak}, {"request", 55, 18'000}}));
  CHECK(order(difference) == Names{"known", "request"});
  CHECK(difference.sites[0].unexplained == 120);
  CHECK(difference.sites[0].growth_per_min == 60);
}

TEST_CASE("then by bytes, as far as they are known") {
  Moment before = moment(60, {{"a", 1, 1}, {"b", 1, 1}, {"c", 1, 1}, {"d", 1, 1}});
  Moment after = moment(60, {{"a", 1, 1}, {"b", 1, 1}, {"c", 1, 1}, {"e", 0, 1}});
  before.report.sites[0].held_bytes = 100;
  after.report.sites[0].held_bytes = 150;
  before.report.sites[1].allocated_bytes = 1000;
  after.report.sites[1].allocated_bytes = 5000;
  after.report.sites[1].held_bytes = 9;
  after.report.sites[2].held_bytes = 9'000'000;  // not observed before
  after.report.sites[3].allocated_bytes = 70;
  const Difference difference = compare(before, after);
  CHECK(order(difference) == Names{"b", "e", "a", "d", "c"});
  CHECK(difference.sites[0].bytes == 4000);
  CHECK(difference.sites[1].bytes == 70);
  CHECK(difference.sites[2].bytes == 50);
  CHECK_FALSE(difference.sites[4].bytes);
}

TEST_CASE("blocks of memory are no tasks") {
  Moment before = moment(60, {{"task", 1, 1}, {"blocks", 10, 10}});
  Moment after = moment(60, {{"task", 3, 3}, {"blocks", 10'000, 10'000}});
  for (Moment* each : {&before, &after}) {
    auto identity = std::make_shared<SiteIdentity>(*each->report.sites[1].identity);
    identity->kind = "alloc";
    identity->blocks = true;
    each->report.sites[1].identity = identity;
  }
  CHECK(order(compare(before, after)) == Names{"task", "blocks"});
}

TEST_CASE("totals are of living processes, and say nothing where nothing was observed") {
  Moment before = moment(60, {});
  Moment after = moment(60, {});
  before.report.processes.resize(1);
  after.report.processes.resize(3);
  after.report.processes[0].process.rss_bytes = 100;
  after.report.processes[1].process.rss_bytes = 50;
  after.report.processes[1].process.vms_bytes = 500;
  after.report.processes[2].process.ended = true;
  const Difference difference = compare(before, after);
  CHECK(difference.before.processes == 1);
  CHECK_FALSE(difference.before.rss_bytes);
  CHECK(difference.after.processes == 2);
  CHECK(difference.after.rss_bytes == 150);
  CHECK(difference.after.vms_bytes == 500);
}

}  // namespace asyncleak
