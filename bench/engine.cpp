// What judging costs: a refresh of the model with 10,000 sites, of which one in ten changes.
//
// Prints milliseconds of processor time per refresh. A site has a stack of eight frames, classes of birth, and what a
// census saw of it: an await chain of eight frames, who holds it, what it holds. One in ten changing sites leaks.
#include "model/model.h"

#include <fmt/format.h>
#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <memory>

namespace {

using namespace asyncleak;

constexpr std::int64_t second_ns = 1'000'000'000;
constexpr std::int64_t start_ns = 10'000 * second_ns;
constexpr int frames = 8;
constexpr int warm_up_refreshes = 120, refreshes = 60;

std::vector<Frame> frames_of(std::string_view prefix, int site) {
  std::vector<Frame> all;
  for (int i = 0; i < frames; ++i) {
    all.push_back({fmt::format("{}_of_some_service_{}", prefix, i),
                   fmt::format("/srv/app/package{}/module.py", site % 100), 100 + i});
  }
  return all;
}

SiteSample site_of(int number) {
  auto identity = std::make_shared<SiteIdentity>();
  identity->id = static_cast<std::uint64_t>(number) + 1;
  identity->pid = 42;
  identity->process = 7;
  identity->coroutine = fmt::format("Service.handle_request_{}", number);
  identity->file = "/srv/app/service.py";
  identity->line = number;
  identity->created_at = frames_of("create", number);
  SiteSample site;
  site.identity = identity;
  site.first_seen_ns = start_ns;
  site.last_created_ns = start_ns;
  SiteCensus& census = site.census.emplace();
  census.pending = 20;
  census.done = 0;
  census.waiting_at = frames_of("wait", number);
  census.waiting_here = census.waiting_of = 20;
  census.held = HeldSample{4096, 100, 5, false};
  census.holders = {"set `tasks` of module app", "list `waiters` of Queue"};
  for (int i = 0; i < 20; ++i) site.cohorts.push_back({start_ns + i * second_ns, start_ns + (i + 1) * second_ns, 1});
  site.created_total = site.outstanding = 20;
  return site;
}

// Of this thread: what else runs on the machine does not count.
double cpu_milliseconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

std::string summary(std::vector<double> milliseconds) {
  std::sort(milliseconds.begin(), milliseconds.end());
  return fmt::format("median {:.2f} ms, worst {:.2f} ms", milliseconds[milliseconds.size() / 2], milliseconds.back());
}

bool changes(std::size_t number) { return number % 10 == 0; }
bool leaks(std::size_t number) { return number % 100 == 0; }

void step(Sample& sample, int refresh) {
  sample.monotonic_ns += second_ns;
  sample.processes[0].census->taken_ns = sample.monotonic_ns;
  for (std::size_t i = 0; i < sample.sites.size(); ++i) {
    if (!changes(i)) continue;
    SiteSample& site = sample.sites[i];
    site.created_total += 5;
    site.last_created_ns = sample.monotonic_ns;
    // Of five a second, four end within it; the fifth stays, or lives for 40 seconds.
    site.destroyed_total += 4;
    site.cohorts.push_back({sample.monotonic_ns - second_ns, sample.monotonic_ns, 1});
    if (!leaks(i) && site.cohorts.size() > 40) {
      site.cohorts.erase(site.cohorts.begin());
      ++site.destroyed_total;
    } else if (site.cohorts.size() > 60) {
      site.cohorts[1].born_from_ns = site.cohorts[0].born_from_ns;
      site.cohorts[1].count += site.cohorts[0].count;
      site.cohorts.erase(site.cohorts.begin());
    }
    site.outstanding = site.created_total - site.destroyed_total;
    site.census->pending = site.outstanding + static_cast<std::uint64_t>(refresh % 2);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const int sites = argc > 1 ? std::atoi(argv[1]) : 10'000;
  Sample sample;
  sample.monotonic_ns = start_ns + 30 * second_ns;
  ProcessSample& process = sample.processes.emplace_back();
  process.id = 7;
  process.pid = 42;
  process.comm = "app";
  process.census.emplace();
  for (int i = 0; i < sites; ++i) sample.sites.push_back(site_of(i));

  Model model{Policy{}};
  Report report = model.update(sample);
  std::vector<double> updates, drops;
  for (int refresh = 0; refresh < warm_up_refreshes + refreshes; ++refresh) {
    step(sample, refresh);
    const double begin = cpu_milliseconds();
    Report next = model.update(sample);
    const double made = cpu_milliseconds();
    report = std::move(next);
    if (refresh < warm_up_refreshes) continue;
    updates.push_back(made - begin);
    drops.push_back(cpu_milliseconds() - made);
  }
  const auto leaking = std::count_if(report.sites.begin(), report.sites.end(),
                                     [](const SiteRow& row) { return row.verdict == Verdict::leak; });
  fmt::print("{} sites, {} leaks: {} a refresh; {} to drop the report before it\n", report.sites.size(), leaking,
             summary(updates), summary(drops));
  return 0;
}
