#include "view/diff.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <sstream>

namespace asyncleak {
namespace {

SiteSide side(const std::string& coroutine, std::uint64_t outstanding, Verdict verdict, int line = 31) {
  auto identity = std::make_shared<SiteIdentity>();
  identity->coroutine = coroutine;
  identity->file = "/srv/app.py";
  identity->line = 12;
  identity->created_at = {{"handler", "/srv/app.py", line}};
  SiteSide made;
  made.identity = identity;
  made.outstanding = outstanding;
  made.created_total = outstanding;
  made.verdict = verdict;
  return made;
}

NamedDifference example() {
  NamedDifference diff;
  diff.before = {"good.alrec", {"before the release"}, 1'795'234'618'000'000'000, 60};
  diff.after = {"bad.alrec", {}, 1'795'238'218'000'000'000, 120};
  diff.difference.before = {1, 20, 6000, 18, 2, 50 << 20, 300 << 20};
  diff.difference.after = {2, 261, 13'000, std::nullopt, std::nullopt, 62 << 20, std::nullopt};
  diff.difference.minutes = 2;
  SiteDifference leak;
  leak.before = side("Conn.waiter", 0, Verdict::churn, 29);
  leak.after = side("Conn.waiter", 240, Verdict::leak);
  leak.after.held_bytes = 3 << 20;
  leak.before.held_bytes = 0;
  leak.pairing = Pairing::lines;
  leak.unexplained = 240;
  leak.growth_per_min = 120;
  leak.bytes = 3 << 20;
  SiteDifference fresh;
  fresh.after = side("Cache.refresh", 1, Verdict::steady);
  fresh.unexplained = 1;
  fresh.growth_per_min = 0.5;
  SiteDifference vanished;
  vanished.before = side("Old.poller", 4, Verdict::steady);
  vanished.unexplained = -4;
  vanished.growth_per_min = -2;
  SiteDifference same;
  same.before = same.after = side("Pool.worker", 16, Verdict::steady);
  same.pairing = Pairing::exact;
  diff.difference.sites = {leak, fresh, vanished, same};
  return diff;
}

int longest_line(const std::string& text) {
  std::istringstream lines(text);
  std::size_t longest = 0;
  for (std::string line; std::getline(lines, line);) longest = std::max(longest, line.size());
  return static_cast<int>(longest);
}

}  // namespace

TEST_CASE("two moments side by side") {
  CHECK(diff_text(example(), {}) ==
        R"(before  good.alrec  2026-11-21T04:16:58.000Z, watched for 1m00s  "before the release"
after   bad.alrec  2026-11-21T05:16:58.000Z, watched for 2m00s

                BEFORE       AFTER      CHANGE
processes            1           2          +1
tasks               20         261        +241
created           6000       13000       +7000
RSS            50.0MiB     62.0MiB    +12.0MiB
VMS             300MiB           -           -

  NOW CHANGE +/MIN   +BYTES VERDICT    COROUTINE     CREATED AT
~ 240   +240  +120 +3.00MiB churn>leak Conn.waiter   app.py:31
+   1     +1 +0.50        - steady     Cache.refresh app.py:31
-   0     -4     -        - -          Old.poller    app.py:31
+ new  - vanished  ~ moved: other lines or folders, the same functions
1 site did not change
)");
}

TEST_CASE("a limit, and what it leaves out; colour for what leaks") {
  const std::string text = diff_text(example(), {1, 0, true});
  CHECK(text.find("\033[1;31m~ 240") != std::string::npos);
  CHECK(text.find("Cache.refresh") == std::string::npos);
  CHECK(text.ends_with("... and 2 more that changed\n1 site did not change\n"));
}

TEST_CASE("it fits the terminal: the names give way") {
  NamedDifference diff = example();
  diff.before.labels.clear();
  diff.difference.sites[0].after = side("Application.Connections.Manager.<locals>.wait_for_the_next_message", 240,
                                        Verdict::leak);  // fmt: skip
  const std::string text = diff_text(diff, {0, 80});
  INFO(text);
  CHECK(longest_line(text) <= 80);
  CHECK(text.find("~ 240   +240  +120 +3.00MiB churn>leak ...>.wait_for_the_next_message app.py:31\n") !=
        std::string::npos);
}

TEST_CASE("nothing changed") {
  NamedDifference diff = example();
  diff.difference.sites = {diff.difference.sites[3]};
  CHECK(diff_text(diff, {}).ends_with("\nno site changed\n1 site did not change\n"));
}

TEST_CASE("the difference as JSON") {
  NamedDifference diff = example();
  CHECK(diff_json(diff, 1) ==
        R"({"schema":"asyncleak-diff/1","before":{"file":"good.alrec","labels":["before the release"],)"
        R"("time":"2026-11-21T04:16:58.000Z","watched_s":60.0,"processes":1,"outstanding":20,"pending":18,"done":2,)"
        R"("created_total":6000,"rss_bytes":52428800,"vms_bytes":314572800},"after":{"file":"bad.alrec","labels":[],)"
        R"("time":"2026-11-21T05:16:58.000Z","watched_s":120.0,"processes":2,"outstanding":261,"pending":null,)"
        R"("done":null,"created_total":13000,"rss_bytes":65011712,"vms_bytes":null},"sites_total":4,"sites":[)"
        R"({"kind":"task","coroutine":"Conn.waiter","file":"/srv/app.py","line":12,)"
        R"("created_at":[{"function":"handler","file":"/srv/app.py","line":31}],"change":"moved","pairing":"lines",)"
        R"("before_file":"/srv/app.py","before_line":12,)"
        R"("before_created_at":[{"function":"handler","file":"/srv/app.py","line":29}],)"
        R"("outstanding":{"before":0,"after":240,"difference":240},)"
        R"("pending":{"before":null,"after":null,"difference":null},)"
        R"("done":{"before":null,"after":null,"difference":null},)"
        R"("created_total":{"before":0,"after":240,"difference":240},)"
        R"("bytes":{"before":null,"after":null,"difference":null},)"
        R"("allocated_bytes":{"before":null,"after":null,"difference":null},)"
        R"("held_bytes":{"before":0,"after":3145728,"difference":3145728},"unexplained":240.0,)"
        R"("growth_per_min":120.0,"verdict_before":"churn","verdict_after":"leak"}]})");
  const std::string all = diff_json(diff, 0);
  CHECK(all.find(R"("change":"new","pairing":"none","before_file":null,"before_line":null,"before_created_at":null,)"
                 R"("outstanding":{"before":0,"after":1,"difference":1})") != std::string::npos);
  CHECK(all.find(R"("verdict_before":null,"verdict_after":"steady")") != std::string::npos);
  CHECK(all.find(R"("change":"vanished")") != std::string::npos);
  CHECK(all.find(R"("outstanding":{"before":4,"after":0,"difference":-4})") != std::string::npos);
  CHECK(all.find(R"("change":"same","pairing":"exact")") != std::string::npos);
}

}  // namespace asyncleak
