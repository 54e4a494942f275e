// What the allocator probes counted, in every view.
#include "screen_fixture.h"
#include "view/allocation_text.h"
#include "view/batch.h"
#include "view/json.h"
#include "view/prometheus/prometheus.h"
#include "view/screen.h"

#include <catch2/catch.hpp>
#include <sstream>

using namespace asyncleak;

namespace {

constexpr std::uint64_t mib = 1U << 20;
constexpr std::int64_t second_ns = 1'000'000'000;

SiteAllocations allocations(std::uint64_t bytes, std::uint64_t old_bytes, std::int64_t now_ns) {
  SiteAllocations all;
  all.bytes = bytes;
  all.blocks = bytes / 2048;
  all.allocated_bytes = 7 * bytes;
  all.allocated_blocks = 7 * all.blocks;
  all.freed_bytes = 6 * bytes;
  all.freed_blocks = 6 * all.blocks;
  all.cohorts = {{now_ns - 120 * second_ns, now_ns - 90 * second_ns, old_bytes},
                 {now_ns - 5 * second_ns, now_ns - 4 * second_ns, bytes - old_bytes}};
  return all;
}

// The first process counts its allocations: serve leaks them, code outside any task has some.
Report allocating_report() {
  Report report = test::report();
  report.findings.clear();
  ProcessRow& row = report.processes[0];
  ProcessAllocations& process = row.process.allocations.emplace();
  process.mode = MemoryMode::malloc;
  process.allocator = "glibc (/usr/lib/x86_64-linux-gnu/libc.so.6)";
  process.since_ns = report.monotonic_ns - 300 * second_ns;
  process.cost_ns_per_hit = 600;
  process.lines = true;
  row.allocated_bytes = 13 * mib;
  row.allocated_blocks = 6656;
  row.allocation_hits_per_s = 52'000;
  row.allocation_overhead_percent = 3.12;
  row.account = MemoryAccount{290, 48 * mib, 34 * mib, 12 * mib, 2 * mib};

  SiteRow& leak = report.sites[1];
  leak.allocations = allocations(12 * mib, 10 * mib, report.monotonic_ns);
  leak.allocations->lines = {{"serve", "/srv/shop/cart.py", 57, 11 * mib, 5632, 12 * mib},
                             {"?", "", std::nullopt, 1 * mib, 512, 72 * mib}};
  leak.allocated_bytes = 12 * mib;
  leak.allocated_growth_per_min = 1.2 * mib;
  leak.allocated_verdict = Verdict::leak;
  SiteRow outside = test::census_site(9, row, "alloc", "Handler._run", 512, Verdict::fresh);
  auto identity = std::make_shared<SiteIdentity>(*outside.identity);
  identity->blocks = true;
  outside.identity = identity;
  outside.allocations = allocations(mib, 0, report.monotonic_ns);
  outside.allocated_bytes = mib;
  outside.allocated_growth_per_min = 0;
  report.sites.push_back(outside);
  return report;
}

std::string page(Page which, std::uint64_t site, Size size) {
  UiState ui;
  ui.page = which;
  ui.selected_site = site;
  return "\n" + to_text(render(allocating_report(), ui, size));
}

std::string text_of(const Line& line) {
  std::string text;
  for (const Span& span : line) text += span.text;
  return text;
}

std::vector<std::string> lines_with(const std::string& text, std::string_view part) {
  std::vector<std::string> found;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.find(part) != std::string::npos) found.push_back(line);
  }
  return found;
}

}  // namespace

TEST_CASE("80x24 with bytes: who allocates, how much, how fast") {
  CHECK("\n" + to_text(render(allocating_report(), {}, {80, 24})) == R"(
asyncleak-top 14:03:22 db1 up 3d04h, watching 2 processes for 5m32s, every 1.0s
Tasks:  932 outstanding, 7.50/s created, 1.50/s destroyed, growth +120/min
Trust:  exact since attach, maps 12.0% full, nothing dropped
Probes: 240 hits/s of 480 ns, overhead 0% of a core
Memory: malloc 812: 3.1% of a core, 52.0k hits/s
4 sites by +/MIN
KIND  COROUTINE               OUT   BYTES +BYTES/min VERDICT CREATED AT
task  shop.cart.refresh       812       -          - leak    api.py:31 handler
task  serve                     8 12.0MiB   +1.20MiB leak    api.py:31 handler
task  jobs.Queue.run          112       -          - churn   api.py:31 handler
alloc Handler._run            512 1.00MiB         0B new     def feed.py:9












?Help qQuit EnterDetails !Findings pProcess sSort /Search fFilter SpacePause
)");
}

TEST_CASE("200 columns with bytes: the tasks' numbers beside them") {
  const auto lines = lines_with(to_text(render(allocating_report(), {}, {200, 24})), "COROUTINE");
  REQUIRE(lines.size() == 1);
  CHECK(
      lines[0] ==
      R"( PID COMMAND KIND  COROUTINE               OUT  +/MIN  NEW/s  END/s OLDEST AGE p50   BYTES +BYTES/min BLOCKS VERDICT CONF CREATED HISTORY                  CREATED AT)");
}

TEST_CASE("the site: totals, ages, allocating lines") {
  CHECK(page(Page::site, 2, {80, 44}) == R"(
asyncleak-top 14:03:22 db1 up 3d04h, watching 2 processes for 5m32s, every 1.0s
Tasks:  932 outstanding, 7.50/s created, 1.50/s destroyed, growth +120/min
Trust:  exact since attach, maps 12.0% full, nothing dropped
Probes: 240 hits/s of 480 ns, overhead 0% of a core
Memory: malloc 812: 3.1% of a core, 52.0k hits/s

serve  leak 93%
defined at /srv/shop/cart.py:42
process 812 uvicorn, Python 3.11.2, counts: since-attach
Tasks   8 outstanding of 108 created, 100 destroyed
Rates   2.50/s created, 0.50/s destroyed, growth 0/min
Ages    oldest 5m12s, median 20s

Created by, innermost first
  /usr/lib/python3.11/asyncio/tasks.py:361 create_task
  /srv/shop/api.py:31 handler
  /srv/shop/app.py:8 main

Allocated and not freed, by age
Bytes   12.0MiB in 6,144 blocks, +1.20MiB/min; 10.0MiB older than a minute
Total   84.0MiB in 43,008 blocks allocated, 72.0MiB in 36,864 blocks freed
     < 1s       0B
   1s-10s  2.00MiB ████████████
   10s-1m       0B
   1m-10m  10.0MiB █████████████████████████████████████████████████████████████

Allocated by, most bytes not freed first
  11.0MiB    5632  /srv/shop/cart.py:57 serve  of 12.0MiB allocated
  1.00MiB     512  not known  of 72.0MiB allocated

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

TEST_CASE("the site of code outside any task") {
  CHECK(page(Page::site, 9, {80, 24}) == R"(
asyncleak-top 14:03:22 db1 up 3d04h, watching 2 processes for 5m32s, every 1.0s
Tasks:  932 outstanding, 7.50/s created, 1.50/s destroyed, growth +120/min
Trust:  exact since attach, maps 12.0% full, nothing dropped
Probes: 240 hits/s of 480 ns, overhead 0% of a core
Memory: malloc 812: 3.1% of a core, 52.0k hits/s

Handler._run  new
defined at /srv/shop/feed.py:9
process 812 uvicorn, Python 3.11.2, counts: since-attach

Allocated and not freed, by age
Bytes   1.00MiB in 512 blocks, 0B/min; 0B older than a minute
Total   7.00MiB in 3,584 blocks allocated, 6.00MiB in 3,072 blocks freed
     < 1s       0B
   1s-10s  1.00MiB █████████████████████████████████████████████████████████████

Allocated by, most bytes not freed first
  nothing yet

Blocks not freed, newest at the right
      3                                                                        █
                                                                              ██
                                                                             ███
EscBack tTasks iProcess Up/DownScroll SpacePause ?Help
)");
}

TEST_CASE("the process: mode, allocator, price, and what the growth is made of") {
  CHECK(page(Page::process, 2, {80, 24}) == R"(
asyncleak-top 14:03:22 db1 up 3d04h, watching 2 processes for 5m32s, every 1.0s
Tasks:  932 outstanding, 7.50/s created, 1.50/s destroyed, growth +120/min
Trust:  exact since attach, maps 12.0% full, nothing dropped
Probes: 240 hits/s of 480 ns, overhead 0% of a core
Memory: malloc 812: 3.1% of a core, 52.0k hits/s

process 812 uvicorn, Python 3.11.2  leak
/usr/bin/uvicorn app:main
Counts  since-attach
Tasks   820 outstanding of 0 created, 0 destroyed
Rates   -/s created, -/s destroyed, growth +120/min
Census  none: see the warnings, or wait for the first
Memory  RSS 100MiB
Alloc   malloc, glibc (/usr/lib/x86_64-linux-gnu/libc.so.6): 13.0MiB in 6,656
        blocks allocated in the last 5m00s and not freed; 3.1% of a core, 52.0k
        hits/s
Growth  RSS +48.0MiB in 4m50s = +34.0MiB allocated and not freed, +12.0MiB small
        objects in the pools, +2.00MiB not explained (kept by the allocators, or
        mapped otherwise)




EscBack Up/DownScroll SpacePause ?Help
)");
}

TEST_CASE("bytes of a leak stand out, and its row comes before others of its task's verdict") {
  Report report = allocating_report();
  report.sites[0].verdict = Verdict::churn;
  UiState ui;
  ui.selected_site = 3;
  const ScreenFrame frame = render(report, ui, {80, 24});
  CHECK(lines_with(to_text(frame), "task  ").front().find("serve") != std::string::npos);
  CHECK(frame.at(7, 40).role == Role::bad);  // BYTES
  CHECK(frame.at(7, 6).role == Role::bad);   // its name
}

TEST_CASE("prices: the dearest first, and what is not counted says where the reason is") {
  Report report = allocating_report();
  ProcessAllocations& other = report.processes[1].process.allocations.emplace();
  other.trouble = "over --overhead-limit 25";
  CHECK(text_of(allocation_price_line(report)) ==
        "malloc 812: 3.1% of a core, 52.0k hits/s; 1907: not counted, see its warning");
  CHECK(allocation_price_line(report)[2].role == Role::warn);
  CHECK(text_of(allocations_line(report.processes[1], report.monotonic_ns)) == "not counted; over --overhead-limit 25");
  other.mode = MemoryMode::malloc;
  other.trouble = "pymalloc is inlined";
  report.processes[1].allocated_bytes = report.processes[1].allocated_blocks = 0;
  report.processes[1].allocation_overhead_percent = 12;
  CHECK(text_of(allocation_price_line(report)) ==
        "malloc 1907: 12.0% of a core, - hits/s (not the mode asked for, see its warning); malloc 812: 3.1% of a core, "
        "52.0k hits/s");
  CHECK(allocation_price_line(Report{}).empty());
}

TEST_CASE("the account says what is not explained") {
  ProcessRow row = allocating_report().processes[0];
  row.account->small_objects_bytes.reset();
  row.account->unexplained_bytes = -static_cast<std::int64_t>(3 * mib);
  CHECK(text_of(account_line(row)) ==
        "RSS +48.0MiB in 4m50s = +34.0MiB allocated and not freed, small objects not known, -3.00MiB not explained "
        "(never written to, swapped out, or from before)");
  row.process.allocations->mode = MemoryMode::all;
  row.account->small_objects_bytes = 12 * mib;
  row.account->unexplained_bytes = 14 * mib;
  CHECK(
      text_of(account_line(row)) ==
      "RSS +48.0MiB in 4m50s = +34.0MiB allocated and not freed (+12.0MiB of small objects in the pools), +14.0MiB not "
      "explained (kept by the allocators, or mapped otherwise)");
  row.account.reset();
  CHECK(account_line(row).empty());
}

TEST_CASE("plain text: columns and lines about allocations only where there are some") {
  const auto batch = [](const Report& report) {
    std::ostringstream out;
    write_batch(out, report, {});
    return out.str();
  };
  const std::string text = batch(allocating_report());
  CHECK(
      lines_with(text, "COROUTINE") ==
      std::vector<std::string>{
          R"x( PID COMMAND KIND  COROUTINE         OUT PENDING DONE +/MIN NEW/s END/s OLDEST AGE p50   BYTES +BYTES/min BLOCKS HELD VERDICT CONF CREATED CREATED AT)x"});
  CHECK(
      lines_with(text, " serve ") ==
      std::vector<std::string>{
          R"x( 812 uvicorn task  serve               8       -    -     0  2.50  0.50  5m12s     20s 12.0MiB   +1.20MiB   6144    - leak     93%     108 /srv/shop/api.py:31 handler)x"});
  CHECK(lines_with(text, "price: ") ==
        std::vector<std::string>{R"x(price: malloc 812: 3.1% of a core, 52.0k hits/s)x"});
  CHECK(
      lines_with(text, "pid 812 uvicorn") ==
      std::vector<std::string>{
          R"x(allocations: pid 812 uvicorn: malloc, glibc (/usr/lib/x86_64-linux-gnu/libc.so.6): 13.0MiB in 6,656 blocks allocated in the last 5m00s and not freed; 3.1% of a core, 52.0k hits/s)x",
          R"x(growth: pid 812 uvicorn: RSS +48.0MiB in 4m50s = +34.0MiB allocated and not freed, +12.0MiB small objects in the pools, +2.00MiB not explained (kept by the allocators, or mapped otherwise))x"});
  CHECK(batch(test::report()).find("BLOCKS") == std::string::npos);
}

TEST_CASE("JSON of allocations") {
  Report report = allocating_report();
  const auto contains = [&](std::string_view part) { return to_json(report).find(part) != std::string::npos; };
  CHECK(contains(
      R"j("allocations":{"mode":"malloc","allocator":"glibc (/usr/lib/x86_64-linux-gnu/libc.so.6)","since_s":300.0,)j"
      R"("bytes":13631488,"blocks":6656,"hits_per_s":52000.0,"overhead_percent":3.12,"untracked_blocks":0,"lines":true,)"
      R"("trouble":null})"));
  CHECK(contains(R"("bytes":"since-attach")"));
  CHECK(contains(
      R"("allocated_bytes":12582912,"allocated_blocks":6144,"allocated_total_bytes":88080384,)"
      R"("freed_total_bytes":75497472,"allocated_growth_per_min":1258291.2,)"
      R"("allocated_ages":[{"age_from_s":0.0,"age_to_s":1.0,"bytes":0},{"age_from_s":1.0,"age_to_s":10.0,"bytes":2097152},)"
      R"({"age_from_s":10.0,"age_to_s":60.0,"bytes":0},{"age_from_s":60.0,"age_to_s":600.0,"bytes":10485760}],)"
      R"("allocated_lines":[{"function":"serve","file":"/srv/shop/cart.py","line":57,"bytes":11534336,"blocks":5632,)"
      R"("allocated_total_bytes":12582912},{"function":"?","file":null,"line":null,"bytes":1048576,"blocks":512,)"
      R"("allocated_total_bytes":75497472}],"held_bytes":null)"));
  report.processes[0].process.allocations->untracked_blocks = 3;
  report.processes[0].process.allocations->lines = false;
  CHECK(contains(R"("bytes":"at-least")"));
  CHECK(contains(R"("allocated_lines":null)"));
  CHECK_FALSE(contains(R"("allocated_lines":[)"));
}

TEST_CASE("metrics: bytes by mode, code outside any task included, the top sites by bytes") {
  Report report = allocating_report();
  CHECK(
      lines_with(Prometheus().write(report), "asyncleak_site_bytes{") ==
      std::vector<std::string>{
          R"(asyncleak_site_bytes{pid="812",comm="uvicorn",unit="",container="",coroutine="serve",site="api.py:31#99be254f",mode="malloc"} 12582912)",
          R"(asyncleak_site_bytes{pid="812",comm="uvicorn",unit="",container="",coroutine="Handler._run",site="feed.py:9#0e4de2f5",mode="malloc"} 1048576)"});
  PrometheusOptions one;
  one.sites_per_process = 1;
  CHECK(lines_with(Prometheus(one).write(report), "asyncleak_site_bytes{").size() == 2);
  CHECK(lines_with(Prometheus(one).write(report), "asyncleak_site_bytes{")[0].find("coroutine=\"serve\"") !=
        std::string::npos);
  CHECK(lines_with(Prometheus().write(test::report()), "asyncleak_site_bytes").empty());
}
