// What a task allocated and did not free: a program that allocates in simulated time, and what the model makes of it.
#include "model/model.h"

#include "model/byte_ages.h"
#include "scenario.h"

#include <catch2/catch.hpp>
#include <deque>

using namespace asyncleak;

namespace {

constexpr std::uint64_t kib = 1U << 10;

// One task that lives on; what it allocates in each second is kept for so many seconds.
class Allocating {
 public:
  explicit Allocating(MemoryMode mode = MemoryMode::malloc) {
    scenario_.spawn(Scenario::forever);
    ProcessAllocations& process = scenario_.sample().processes[0].allocations.emplace();
    process.mode = mode;
    process.since_ns = Scenario::start_ns;
    process.cost_ns_per_hit = 500;
    scenario_.sample().sites[0].allocations.emplace();
  }

  Scenario& scenario() { return scenario_; }
  SiteSample& site() { return scenario_.sample().sites[0]; }
  ProcessSample& process() { return scenario_.sample().processes[0]; }

  void allocate(std::uint64_t bytes, double kept_s) {
    SiteAllocations& all = *site().allocations;
    all.allocated_bytes += bytes;
    ++all.allocated_blocks;
    const auto second = static_cast<std::int64_t>(scenario_.now());
    living_.push_back({second, scenario_.now() + kept_s, bytes});
  }

  // SECONDS later; each of them begins with EACH.
  Report advance(int seconds, const std::function<void(Allocating&)>& each) {
    Report report;
    for (int i = 0; i < seconds; ++i) {
      each(*this);
      std::erase_if(living_, [this](const Block& block) { return release(block); });
      publish();
      report = scenario_.advance(1, [](Scenario&) {});
    }
    return report;
  }

 private:
  struct Block {
    std::int64_t born = 0;
    double until = 0;
    std::uint64_t bytes = 0;
  };
  bool release(const Block& block) {
    if (block.until > scenario_.now()) return false;
    site().allocations->freed_bytes += block.bytes;
    ++site().allocations->freed_blocks;
    return true;
  }
  void publish() {
    SiteAllocations& all = *site().allocations;
    all.bytes = 0;
    all.blocks = living_.size();
    all.cohorts.clear();
    for (const Block& block : living_) {
      all.bytes += block.bytes;
      const std::int64_t from_ns = Scenario::start_ns + block.born * 1'000'000'000;
      if (all.cohorts.empty() || all.cohorts.back().born_from_ns != from_ns) {
        all.cohorts.push_back({from_ns, from_ns + 1'000'000'000, 0});
      }
      all.cohorts.back().bytes += block.bytes;
    }
  }

  Scenario scenario_;
  std::deque<Block> living_;
};

const Finding* growth_in(const Report& report) {
  const auto found = std::find_if(report.findings.begin(), report.findings.end(),
                                  [](const Finding& finding) { return finding.kind == "memory-growth"; });
  return found == report.findings.end() ? nullptr : &*found;
}

void leak(Allocating& program) { program.allocate(20 * kib, Scenario::forever); }
void churn(Allocating& program) { program.allocate(512 * kib, 0.5); }

}  // namespace

TEST_CASE("bytes that only accumulate are memory-growth, and the task's own verdict stays") {
  Allocating program;
  Report report = program.advance(30, leak);
  REQUIRE(growth_in(report) != nullptr);
  CHECK(growth_in(report)->severity == Severity::warning);
  program.site().allocations->lines = {{"worker", "/srv/app.py", 31, 2400 * kib, 120, 2400 * kib}};
  report = program.advance(100, leak);
  const Finding* finding = growth_in(report);
  REQUIRE(finding != nullptr);
  CHECK(finding->severity == Severity::leak);
  CHECK(finding->why ==
        "2.54MiB allocated by `Conn.waiter`, most at app.py:31, are not freed; +1.17MiB/min over 2 min 9 s; 1.39MiB of "
        "it older than a minute; created at app.py:31 by `handler`");
  CHECK(finding->bytes == 130U * 20 * kib);
  CHECK(finding->outstanding == 1U);
  CHECK(finding->growth_per_min == 0.0);
  CHECK(*finding->allocated_growth_per_min == Approx(60 * 20 * kib));
  const SiteRow& row = report.sites[0];
  CHECK(row.verdict == Verdict::steady);
  CHECK(row.allocated_verdict == Verdict::leak);
  CHECK(row.allocated_bytes == 130 * 20 * kib);
  CHECK(report.processes[0].verdict == Verdict::leak);
  CHECK(report.processes[0].allocated_bytes == 130 * 20 * kib);
  CHECK(report.processes[0].allocated_blocks == 130U);
}

TEST_CASE("a leak is found below a hundred times as much churn in the same site") {
  Allocating program;
  const Report report = program.advance(90, [](Allocating& each) {
    churn(each);
    each.allocate(4 * kib, Scenario::forever);
  });
  REQUIRE(growth_in(report) != nullptr);
  CHECK(growth_in(report)->severity == Severity::leak);
}

TEST_CASE("what is freed, what is bounded and what fills up is no growth") {
  Allocating program;
  SECTION("the same volume again and again") {
    for (int i = 0; i < 120; ++i) CHECK(growth_in(program.advance(1, churn)) == nullptr);
  }
  SECTION("kept for ten seconds each: as many are freed as allocated") {
    for (int i = 0; i < 300; ++i) {
      const Report report = program.advance(1, [](Allocating& each) { each.allocate(100 * kib, 10); });
      CHECK(growth_in(report) == nullptr);
    }
  }
  SECTION("a warm-up that ends") {
    program.advance(10, [](Allocating& each) { each.allocate(100 * kib, Scenario::forever); });
    for (int i = 0; i < 120; ++i) CHECK(growth_in(program.advance(1, churn)) == nullptr);
  }
  SECTION("a few kilobytes") {
    const Report report = program.advance(120, [](Allocating& each) { each.allocate(256, Scenario::forever); });
    CHECK(growth_in(report) == nullptr);
    CHECK(*report.sites[0].allocated_growth_per_min == Approx(60 * 256));
  }
}

TEST_CASE("code outside any task is judged by its bytes alone") {
  Allocating program;
  auto identity = std::make_shared<SiteIdentity>(*program.site().identity);
  identity->kind = "alloc";
  identity->blocks = true;
  identity->coroutine = "(outside the event loop)";
  identity->file = "";
  identity->line = std::nullopt;
  identity->created_at.clear();
  program.site().identity = identity;
  program.site().by_census = true;
  program.site().cohorts.clear();
  Report report;
  for (int i = 0; i < 90; ++i) {
    program.site().outstanding += 1;
    report = program.advance(1, leak);
  }
  REQUIRE(report.findings.size() == 1);
  program.site().allocations->untracked_blocks = 5;
  report = program.advance(1, leak);
  CHECK(report.findings[0].why ==
        "at least 1.78MiB allocated outside the event loop are not freed; +1.17MiB/min over 1 min 30 s; 930KiB of it "
        "older than 45 s");
  CHECK(report.sites[0].verdict == Verdict::leak);
  CHECK_FALSE(report.sites[0].created_total);
  CHECK(report.outstanding == 0);
}

TEST_CASE("switched off and on again: a new beginning") {
  Allocating program;
  REQUIRE(growth_in(program.advance(60, leak)) != nullptr);
  const auto before = *program.process().allocations;
  const auto bytes = *program.site().allocations;
  program.process().allocations.reset();
  program.site().allocations.reset();
  Report report = program.scenario().advance(1, [](Scenario&) {});
  CHECK(growth_in(report) == nullptr);
  CHECK_FALSE(report.sites[0].allocated_bytes);
  CHECK_FALSE(report.processes[0].allocated_bytes);
  program.process().allocations = before;
  program.process().allocations->since_ns += 61'000'000'000;
  program.site().allocations = bytes;
  report = program.advance(1, leak);
  CHECK(growth_in(report) == nullptr);
  CHECK_FALSE(report.sites[0].allocated_growth_per_min);
}

TEST_CASE("the price of counting, and nothing counted where it was taken back") {
  Allocating program;
  Report report = program.advance(1, churn);
  CHECK_FALSE(report.processes[0].allocation_hits_per_s);
  program.process().allocations->hits_total += 52'000;
  report = program.advance(1, churn);
  CHECK(*report.processes[0].allocation_hits_per_s == Approx(52'000));
  CHECK(*report.processes[0].allocation_overhead_percent == Approx(2.6));
  program.process().allocations->trouble = "over --overhead-limit 25";
  program.process().allocations->mode = MemoryMode::objects;
  program.site().allocations.reset();
  report = program.scenario().advance(1, [](Scenario&) {});
  CHECK_FALSE(report.processes[0].allocation_overhead_percent);
  CHECK_FALSE(report.processes[0].allocated_bytes);
}

TEST_CASE("what resident memory grew by adds up, from census to census") {
  constexpr std::uint64_t mib = 1U << 20;
  const auto mode = GENERATE(MemoryMode::malloc, MemoryMode::all);
  Allocating program(mode);
  const auto look = [&program](std::uint64_t c_heap_mib, std::uint64_t small_mib) {
    ProcessSample& process = program.process();
    process.census.emplace().taken_ns =
        Scenario::start_ns + static_cast<std::int64_t>((program.scenario().now() + 1) * 1e9);
    MemorySample& memory = process.memory.emplace();
    memory.c_heap_bytes = c_heap_mib * mib;
    memory.arenas_bytes = (small_mib + 1) * mib;
    memory.small_objects_bytes = small_mib * mib;
  };
  const auto large = [](Allocating& each) { each.allocate(2 * mib, Scenario::forever); };
  look(10, 20);
  CHECK_FALSE(program.advance(1, large).processes[0].account);
  CHECK_FALSE(program.advance(3, large).processes[0].account);  // no other look yet
  look(22, 24);
  const auto account = program.advance(1, large).processes[0].account;
  REQUIRE(account);
  CHECK(account->over_s == Approx(4));
  CHECK(account->resident_bytes == 16 * static_cast<std::int64_t>(mib));
  CHECK(account->allocated_bytes == 8 * static_cast<std::int64_t>(mib));
  CHECK(account->small_objects_bytes == 4 * static_cast<std::int64_t>(mib));
  CHECK(account->unexplained_bytes == (mode == MemoryMode::malloc ? 4 : 8) * static_cast<std::int64_t>(mib));
}

TEST_CASE("without a census the account has the resident memory alone") {
  Allocating program;
  program.process().rss_bytes = 100 << 20;
  program.advance(1, leak);
  program.process().rss_bytes = 101 << 20;
  const auto account = program.advance(1, leak).processes[0].account;
  REQUIRE(account);
  CHECK_FALSE(account->small_objects_bytes);
  CHECK(account->unexplained_bytes == (1 << 20) - static_cast<std::int64_t>(20 * kib));
}
