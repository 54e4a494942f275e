#include "live/censuses.h"

#include "probe/clock.h"

#include <ctime>

namespace asyncleak::live {
namespace {

std::int64_t thread_cpu_ns() { return probe::clock_ns(CLOCK_THREAD_CPUTIME_ID); }

}  // namespace

void Censuses::follow(const probe::Catalog& catalog) {
  std::erase_if(known_, [&](const auto& entry) {
    const auto& [pid, known] = entry;
    const auto process = catalog.processes().find(pid);
    const bool same = process != catalog.processes().end() && process->second.is_watched() &&
                      process->second.core == known.core && process->second.bias == known.bias;
    if (!same) budget_.forget(pid);
    return !same;
  });
  for (const auto& [pid, process] : catalog.processes()) {
    if (!process.is_watched() || known_.contains(pid)) continue;
    if (started_) budget_.met(pid, probe::monotonic_ns());
    known_.emplace(pid,
                   Known{process.core, process.bias, nullptr, process.objects ? "" : process.objects.error().message});
  }
  started_ = true;
}

void Censuses::look(const probe::Catalog& catalog, const KernelSide& kernel) {
  if (percent_ <= 0) return;
  follow(catalog);
  std::vector<pid_t> readable;
  for (const auto& [pid, known] : known_) {
    if (catalog.processes().at(pid).objects) readable.push_back(pid);
  }
  while (const auto pid = budget_.next(readable, probe::monotonic_ns())) {
    const auto before = thread_cpu_ns();
    auto& known = known_.at(*pid);
    const auto looked = look_at(catalog.processes().at(*pid), known, kernel);
    known.trouble = looked ? "" : looked.error().message;
    budget_.spent(*pid, probe::monotonic_ns(), thread_cpu_ns() - before);
  }
}

Result<void> Censuses::look_at(const probe::KnownProcess& process, Known& known, const KernelSide& kernel) {
  const auto opened = kernel.records->open(process);
  if (!opened) return fail(opened.error());
  // The kernel's id is another one after exec, and where the PID is another process's: other types, other tasks.
  if (!known.census || known.census->process().id != opened->id) {
    auto census = ProcessCensus::open(process, *opened);
    if (!census) return fail(census.error());
    known.census = std::move(*census);
  }
  auto looked =
      known.census->look(kernel, process.binary->attached_since_ns(process.info.pid).value_or(probe::monotonic_ns()));
  known.census->reader().refresh();  // else the pages of each process would stay with us until its next look
  return looked;
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
