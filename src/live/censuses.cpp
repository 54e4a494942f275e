#include "live/censuses.h"

#include "probe/clock.h"

#include <ctime>

namespace asyncleak::live {
namespace {

std::int64_t thread_cpu_ns() { return probe::clock_ns(CLOCK_THREAD_CPUTIME_ID); }

}  // namespace

void Censuses::follow(const probe::Catalog& catalog) {
  std::erase_if(known_, [&](const auto& entry) {
    const auto process = catalog.processes().find(entry.first);
    const bool same = process != catalog.processes().end() && process->second.core == entry.second.core &&
                      process->second.info.start_ticks == entry.second.start_ticks;
    if (!same) budget_.forget(entry.first);
    return !same;
  });
  for (const auto& [pid, process] : catalog.processes()) {
    if (process.binary == nullptr || known_.contains(pid)) continue;
    auto& known = known_[pid];
    known.start_ticks = process.info.start_ticks;
    known.core = process.core;
    auto census = ProcessCensus::open(process);
    if (census) {
      known.census = std::move(*census);
    } else {
      known.trouble = census.error().message;
    }
  }
}

void Censuses::look(const probe::Catalog& catalog, const KernelSide& kernel) {
  if (percent_ <= 0) return;
  follow(catalog);
  std::vector<pid_t> living;
  for (const auto& [pid, known] : known_) {
    if (known.census) living.push_back(pid);
  }
  while (const auto pid = budget_.next(living, probe::monotonic_ns())) {
    const auto before = thread_cpu_ns();
    look_at(catalog.processes().at(*pid), known_.at(*pid), kernel);
    budget_.spent(*pid, probe::monotonic_ns(), thread_cpu_ns() - before);
  }
}

void Censuses::look_at(const probe::KnownProcess& process, Known& known, const KernelSide& kernel) {
  const auto attached = process.binary->attached_since_ns(process.info.pid).value_or(probe::monotonic_ns());
  const auto looked = known.census->look(kernel, attached);
  known.trouble = looked ? "" : looked.error().message;
}

void Censuses::add_to(Sample& sample) const {
  std::map<std::uint64_t, SiteSample*> sites;
  for (auto& site : sample.sites) sites[site.identity->id] = &site;
  std::vector<SiteSample> more;
  for (auto& process : sample.processes) {
    const auto known = known_.find(process.pid);
    if (known == known_.end() || process.ended) continue;
    if (known->second.census) known->second.census->add_to(process, sites, more);
    if (!known->second.trouble.empty()) process.warnings.push_back("census: " + known->second.trouble);
  }
  for (auto& site : more) sample.sites.push_back(std::move(site));
}

ProcessReader* Censuses::reader_of(pid_t pid) {
  const auto known = known_.find(pid);
  return known != known_.end() && known->second.census ? &known->second.census->reader() : nullptr;
}

}  // namespace asyncleak::live
