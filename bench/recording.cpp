// What a recording of 24 hours costs: its size, the time to write a sample, the time until the screen stands at a
// random minute. Not part of the program, not installed.
//
//     bench-recording [FILE [HOURS [SITES]]]
//
// The samples are those of a busy machine: 8 processes; the sites create from 0.1 to 50 tasks a second each, 1,800
// together, which live from milliseconds to ten minutes; a tenth of the sites leaks; a census every 5 seconds. Ages lie
// in the kernel's birth classes (bpf/asyncleak.h).
#include "sample/recording.h"
#include "cli/player.h"

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <map>
#include <random>

using namespace asyncleak;

namespace {

constexpr std::int64_t second_ns = 1'000'000'000;
constexpr std::int64_t boot_ns = 400'000 * second_ns;
constexpr int levels = 5, slots = 32, first_shift = 30, level_shift = 3;  // as in bpf/asyncleak.h

// The clock of the wall, and of what this process worked: others on the machine are not in it.
struct Moment {
  double wall_s, worked_s;
};

double clock_s(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

Moment now() { return {clock_s(CLOCK_MONOTONIC), clock_s(CLOCK_PROCESS_CPUTIME_ID)}; }

Moment since(Moment then) {
  const Moment at = now();
  return {at.wall_s - then.wall_s, at.worked_s - then.worked_s};
}

// Tasks by second of birth, and how many of them end in a second.
class BusySite {
 public:
  BusySite(double per_s, double life_s, bool leaks) : per_s_(per_s), life_s_(life_s), leaks_(leaks) {}

  void pass_second(SiteSample& site, std::int64_t now_ns, std::mt19937_64& random) {
    for (auto& [epoch, count] : alive_) {
      if (leaks_ || count == 0) continue;
      const double share = 1 - std::exp(-1 / life_s_);
      const auto ended = std::binomial_distribution<std::uint64_t>(count, share)(random);
      count -= ended;
      site.destroyed_total += ended;
    }
    std::erase_if(alive_, [](const auto& each) { return each.second == 0; });
    const auto born = static_cast<std::uint64_t>(std::poisson_distribution<int>(per_s_)(random));
    const double stay = leaks_ ? 1 : std::min(1.0, life_s_);  // the others ended within their second
    const auto stayed = std::binomial_distribution<std::uint64_t>(born, stay)(random);
    site.created_total += born;
    site.destroyed_total += born - stayed;
    if (born > 0) site.last_created_ns = coarse_birth_ns(now_ns - static_cast<std::int64_t>(random() % second_ns));
    if (stayed > 0) alive_[now_ns >> first_shift] += stayed;
    show(site, now_ns);
  }

 private:
  // Each birth in the finest ring that still has it, as probe/cohorts.cpp gives them.
  void show(SiteSample& site, std::int64_t now_ns) {
    site.cohorts.clear();
    site.outstanding = 0;
    for (const auto& [epoch, count] : alive_) {
      const std::int64_t born_ns = epoch << first_shift;
      int shift = first_shift;
      while (shift < first_shift + (levels - 1) * level_shift && (now_ns >> shift) - (born_ns >> shift) >= slots) {
        shift += level_shift;
      }
      const std::int64_t from = born_ns >> shift << shift;
      const std::int64_t to = std::min(from + (std::int64_t{1} << shift), now_ns);
      site.outstanding += count;
      if (!site.cohorts.empty() && site.cohorts.back().born_to_ns > from) {
        site.cohorts.back().count += count;  // straddling classes are cut by the reader: here the coarser has them
      } else {
        site.cohorts.push_back({from, to, count});
      }
    }
  }

  double per_s_, life_s_;
  bool leaks_;
  std::map<std::int64_t, std::uint64_t> alive_;
};

class BusyMachine {
 public:
  explicit BusyMachine(int sites) {
    constexpr std::array lives_s = {0.002, 0.02, 0.05, 0.1, 0.3, 0.5, 1.0, 3.0, 30.0, 600.0};
    sample_.host = "db1";
    sample_.probes.cost_ns_per_hit = 520;
    for (std::uint32_t i = 0; i < 8; ++i) add_process(i);
    for (int i = 0; i < sites; ++i) {
      auto identity = std::make_shared<SiteIdentity>();
      identity->id = static_cast<std::uint64_t>(i) + 1;
      identity->process = static_cast<std::uint32_t>(i % 8) + 1;
      identity->pid = 4000 + i % 8;
      identity->coroutine = fmt::format("service.handlers.Handler{}.handle", i);
      identity->file = fmt::format("/srv/service/handlers/part_{}.py", i % 20);
      identity->line = 10 + i;
      for (int depth = 0; depth < 8; ++depth) {
        identity->created_at.push_back({fmt::format("call_{}", depth), identity->file, 100 + i + depth});
      }
      SiteSample& site = sample_.sites.emplace_back();
      site.identity = std::move(identity);
      site.first_seen_ns = boot_ns;
      site.census.emplace().pending = 0;
      const bool leaks = i % 10 == 0;
      const double per_s = leaks ? 0.2 : 0.1 * std::pow(500, static_cast<double>(i % 7) / 6);
      busy_.emplace_back(per_s, lives_s.at(static_cast<std::size_t>(i) % lives_s.size()), leaks);
    }
  }

  const Sample& next() {
    const std::int64_t now_ns = boot_ns + ++seconds_ * second_ns + static_cast<std::int64_t>(random_() % 2'000'000);
    sample_.monotonic_ns = now_ns;
    sample_.wall_ns = 1'795'234'618 * second_ns + now_ns - boot_ns;
    sample_.host_uptime_s = static_cast<double>(now_ns) / 1e9;
    for (std::size_t i = 0; i < busy_.size(); ++i) {
      SiteSample& site = sample_.sites[i];
      const std::uint64_t before = site.created_total + site.destroyed_total;
      busy_[i].pass_second(site, now_ns, random_);
      sample_.probes.hits_total += site.created_total + site.destroyed_total - before;
      if (seconds_ % 5 == 0) look(site);
    }
    sample_.probes.tasks_used = random_() % 1000 + 20000;
    for (ProcessSample& process : sample_.processes) {
      *process.rss_bytes += random_() % 8 * 4096;
      if (seconds_ % 5 != 0) continue;
      process.census->taken_ns = now_ns;
      process.census->duration_s = 0.01 + static_cast<double>(random_() % 1000) / 1e6;
      process.census->objects = 100'000 + random_() % 5000;
      process.memory->c_heap_bytes = *process.rss_bytes / 3;
    }
    return sample_;
  }

 private:
  void add_process(std::uint32_t i) {
    ProcessSample& process = sample_.processes.emplace_back();
    process.id = i + 1;
    process.pid = static_cast<pid_t>(4000 + i);
    process.comm = "uvicorn";
    process.cmdline = fmt::format("/usr/bin/python3 -m uvicorn service:app --port {}", 8000 + i);
    process.exe = "/usr/bin/python3.11";
    process.python = "3.11.2";
    process.rss_bytes = 200'000'000;
    process.census.emplace();
    process.memory.emplace();
    process.loops.push_back({"asyncio.unix_events._UnixSelectorEventLoop", true, 1, 20, 1, 50, 0, 0, ""});
  }

  // A census: what it sees is as old as it is.
  void look(SiteSample& site) {
    SiteCensus& census = *site.census;
    census.pending = site.outstanding;
    census.done = 0;
    census.waiting_at = {{"Queue.get", "/usr/lib/python3.11/asyncio/queues.py", 158}, site.identity->created_at[0]};
    census.waiting_here = census.waiting_of = std::min<std::uint64_t>(site.outstanding, 100);
    census.held = HeldSample{static_cast<double>(site.outstanding * 1000 + random_() % 1000), 10.0, 30, false};
  }

  std::mt19937_64 random_{1};
  std::int64_t seconds_ = 0;
  Sample sample_;
  std::vector<BusySite> busy_;
};

}  // namespace

int main(int argc, char** argv) {
  const std::string path = argc > 1 ? argv[1] : "/tmp/bench.alrec";
  const int count = static_cast<int>((argc > 2 ? std::atof(argv[2]) : 24) * 3600);
  const int sites = argc > 3 ? std::atoi(argv[3]) : 200;
  {
    auto writer = RecordingWriter::create(path, 0);
    if (!writer) {
      fmt::print(stderr, "{}\n", writer.error().message);
      return 1;
    }
    BusyMachine machine(sites);
    Moment writing{};
    double longest_s = 0;
    for (int i = 0; i < count; ++i) {
      const Sample& sample = machine.next();
      const Moment begun = now();
      if (auto written = writer->write(sample); !written) {
        fmt::print(stderr, "{}\n", written.error().message);
        return 1;
      }
      const Moment took = since(begun);
      writing.wall_s += took.wall_s;
      writing.worked_s += took.worked_s;
      longest_s = std::max(longest_s, took.worked_s);
    }
    const auto bytes = std::filesystem::file_size(path);
    const double per_sample = static_cast<double>(bytes) / count;
    fmt::print("{} samples of {} sites: {:.1f} MB, {:.0f} bytes a sample, {:.1f} MB in 24 hours\n", count, sites,
               static_cast<double>(bytes) / 1e6, per_sample, per_sample * 86400 / 1e6);
    fmt::print("writing a sample: {:.2f} ms of work, at most {:.1f}; {:.2f} ms by the clock\n",
               writing.worked_s / count * 1e3, longest_s * 1e3, writing.wall_s / count * 1e3);
  }
  const Moment begun = now();
  auto recording = Recording::open(path);
  if (!recording) return 1;
  fmt::print("opening: {:.0f} ms of work\n", since(begun).worked_s * 1e3);
  const std::size_t last = recording->moments().size() - 1;
  cli::Player player(std::move(*recording), Policy{}, 0, last);
  std::mt19937_64 random(2);
  std::vector<double> worked_s, wall_s;
  for (int i = 0; i < 20; ++i) {
    const double second =
        i == 0 ? player.length_s() : static_cast<double>(random() % static_cast<std::uint64_t>(count));
    const Moment asked = now();
    if (!player.seek(second)) return 1;
    const Moment took = since(asked);
    worked_s.push_back(took.worked_s);
    wall_s.push_back(took.wall_s);
  }
  fmt::print("seeking: to the end {:.0f} ms of work ({:.0f} by the clock); to 20 moments: ", worked_s[0] * 1e3,
             wall_s[0] * 1e3);
  std::sort(worked_s.begin(), worked_s.end());
  std::sort(wall_s.begin(), wall_s.end());
  fmt::print("median {:.0f} ms of work, longest {:.0f} ({:.0f} by the clock)\n", worked_s[worked_s.size() / 2] * 1e3,
             worked_s.back() * 1e3, wall_s.back() * 1e3);
  return 0;
}
