#include "live/process_census.h"

#include "census/evidence.h"
#include "census/grouping.h"
#include "census/held.h"
#include "live/memory_sample.h"
#include "live/seeding.h"
#include "probe/clock.h"

#include <fmt/format.h>
#include <algorithm>
#include <unordered_map>
#include <utility>

namespace asyncleak::live {
namespace {

constexpr std::size_t chosen_per_site = 8;
// Looking closer costs a walk per task: for the sites with the most tasks only, and of each a bounded one.
constexpr std::size_t most_sites_closer = 40;
constexpr std::uint64_t most_objects_per_site = 20'000;
constexpr std::uint64_t session_wide = std::uint64_t{1} << 63;  // ids of rows no probe sees: never a probed site's

// Replaces a random earlier one, as often as makes the choice even (reservoir sampling, with a fixed sequence).
void choose(std::vector<std::uint64_t>& chosen, std::uint64_t nth, std::uint64_t address) {
  if (chosen.size() < chosen_per_site) {
    chosen.push_back(address);
    return;
  }
  const auto mixed = (nth * 0x9e3779b97f4a7c15ULL) >> 33;
  const auto at = mixed % nth;
  if (at < chosen_per_site) chosen[at] = address;
}

void count_state(SiteCensus& counts, const census::TaskRecord& task) {
  switch (task.state) {
    case census::TaskState::pending:
      ++*counts.pending;
      counts.cancel_requested += task.cancel_requested ? 1 : 0;
      break;
    case census::TaskState::failed:
      counts.failed++;
      ++*counts.done;
      break;
    case census::TaskState::cancelled:
      counts.cancelled++;
      ++*counts.done;
      break;
    case census::TaskState::finished:
      ++*counts.done;
      break;
    case census::TaskState::unknown:
      break;
  }
}

}  // namespace

Result<std::unique_ptr<ProcessCensus>> ProcessCensus::open(const probe::KnownProcess& process,
                                                           const probe::OpenedProcess& opened) {
  auto reader = ProcessReader::open(process);
  if (!reader) return fail(reader.error());
  return std::unique_ptr<ProcessCensus>(new ProcessCensus(std::move(*reader), opened));
}

Result<void> ProcessCensus::look(const KernelSide& kernel, std::int64_t attached_ns) {
  if (!seeded_) {
    if (auto begun = kernel.records->begin_seeding(process_); !begun) return begun;
  }
  const auto before = kernel.reader->totals(process_.id);
  reader_->refresh();
  const auto snapshot = census::take_snapshot(reader_->heap(), reader_->readers());
  if (!snapshot) return fail(snapshot.error());
  evidence_.look_for_circles(*snapshot, *reader_);
  auto joined = join(*snapshot, kernel, attached_ns, before);
  if (!joined) return fail(joined.error());
  reader_->refresh();  // what the scan saw is old by now
  read_groups(*snapshot);
  deadlock_ = evidence_.deadlock(*reader_);
  memory_ = read_memory(*reader_, arena_variables_);
  sample_ = std::move(*joined);
  sample_.duration_s = static_cast<double>(probe::monotonic_ns() - snapshot->began_ns) / 1e9;
  looked_ = true;
  return {};
}

// Finds each task's site, seeds those without one, and says where the two sources disagree.
Result<CensusSample> ProcessCensus::join(const census::Snapshot& snapshot, const KernelSide& kernel,
                                         std::int64_t attached_ns, const probe::TaskTotals& before) {
  auto sample = snapshot.summary();
  std::vector<std::uint64_t> addresses;
  addresses.reserve(snapshot.tasks.size());
  for (const auto& task : snapshot.tasks) addresses.push_back(task.address);
  auto sites = kernel.records->sites_of(process_.id, addresses);
  if (!sites) return fail(sites.error());
  const auto known = addresses.size() - static_cast<std::size_t>(std::ranges::count(*sites, 0U));

  if (!seeded_) {
    const auto all = seed_unknown(*kernel.records, process_, snapshot, *sites, reader_->readers(), attached_ns);
    const auto ended = kernel.records->end_seeding(process_, all && *all && sample.complete);
    if (!all) return fail(all.error());
    if (!ended) return fail(ended.error());
    seeded_ = *ended;
  } else {
    const auto unknown = lasting_unknown(snapshot, *sites, kernel);
    if (!unknown) return fail(unknown.error());
    sample.unknown_to_kernel = *unknown;
  }
  // Every record that stood before and was not destroyed since must have been found.
  const auto after = kernel.reader->totals(process_.id);
  const auto ended_since = after.destroyed - before.destroyed;
  if (before.outstanding > ended_since + known) sample.not_found = before.outstanding - ended_since - known;
  // A look that disagrees makes the next one seed again.
  if (sample.unknown_to_kernel > 0) seeded_ = false;
  count_sites(snapshot, *sites, *kernel.reader);
  return sample;
}

// A task that was created or destroyed while we looked is no disagreement: only one that still is a task, and still
// has no record.
Result<std::uint64_t> ProcessCensus::lasting_unknown(const census::Snapshot& snapshot,
                                                     const std::vector<std::uint32_t>& sites,
                                                     const KernelSide& kernel) {
  std::vector<std::uint64_t> unknown;
  for (std::size_t i = 0; i < sites.size(); i++) {
    if (sites[i] == 0 && !is_half_made(snapshot.tasks[i])) unknown.push_back(snapshot.tasks[i].address);
  }
  // Addresses are used again at once: one that is free when the kernel is asked can be another task's when memory is
  // read. What is unknown every time is.
  constexpr int rounds = 8;
  for (int round = 0; round < rounds && !unknown.empty(); round++) {
    const auto again = kernel.records->sites_of(process_.id, unknown);
    if (!again) return fail(again.error());
    reader_->refresh();
    std::vector<std::uint64_t> still;
    for (std::size_t i = 0; i < unknown.size(); i++) {
      const auto* type = (*again)[i] == 0 ? reader_->readers().types.of(unknown[i]) : nullptr;
      const bool lives = type != nullptr && type->kind == census::Kind::task && reader_->is_tracked(unknown[i]);
      if (lives) still.push_back(unknown[i]);
    }
    unknown = std::move(still);
  }
  // The program may stand still between allocating a task and its probe: what lasts is there at the next look, too.
  const auto before = std::exchange(suspects_, std::set(unknown.begin(), unknown.end()));
  return static_cast<std::uint64_t>(std::ranges::count_if(unknown, [&](auto task) { return before.contains(task); }));
}

void ProcessCensus::count_sites(const census::Snapshot& snapshot, const std::vector<std::uint32_t>& sites,
                                probe::MapReader& kernel) {
  std::unordered_map<std::uint32_t, SiteTasks> by_site;
  for (std::size_t i = 0; i < sites.size(); i++) {
    if (sites[i] == 0) continue;
    const auto& task = snapshot.tasks[i];
    auto& site = by_site[sites[i]];
    if (site.tasks++ == 0) site.counts.pending = site.counts.done = 0;
    count_state(site.counts, task);
    choose(site.some, site.tasks, task.address);
    if (task.state == census::TaskState::pending) choose(site.some_pending, *site.counts.pending, task.address);
    site.in_circle += evidence_.in_circles().contains(task.address) ? 1 : 0;
  }
  std::unordered_map<std::uint64_t, std::uint64_t> pending_by_code;
  std::vector<SiteTasks*> largest;
  largest.reserve(by_site.size());
  for (auto& [id, site] : by_site) {
    site.identity = kernel.identity_of(id);
    site.code = kernel.code_of(id);
    pending_by_code[site.code.own] += *site.counts.pending;
    if (site.identity) largest.push_back(&site);
  }
  std::ranges::sort(largest, std::ranges::greater{}, &SiteTasks::tasks);
  if (largest.size() > most_sites_closer) largest.resize(most_sites_closer);
  holders_.begin_look();
  for (auto* site : largest) {
    look_closer(*site);
    site->counts.holders = holders_.of(site->identity->id, site->tasks, site->some, *reader_);
    TasksSeen seen{site->identity.get(), site->tasks, site->some_pending, site->in_circle, 0};
    for (const auto code : std::set(site->code.created_at.begin(), site->code.created_at.end())) {
      if (code == site->code.own) continue;
      if (const auto found = pending_by_code.find(code); found != pending_by_code.end()) seen.creators += found->second;
    }
    site->counts.pattern = evidence_.of_tasks(seen, site->code, *reader_);
  }
  sites_.clear();
  for (auto& [id, site] : by_site) {
    if (site.identity) sites_[site.identity->id] = std::move(site.counts);
  }
}

void ProcessCensus::look_closer(SiteTasks& site) {
  const auto& readers = reader_->readers();
  std::map<std::vector<std::string>, std::pair<std::uint64_t, std::vector<Frame>>> chains;  // by text
  for (const auto address : site.some_pending) {
    const auto view = readers.awaits.task(address);
    if (!view || view->coroutine == 0) continue;
    auto chain = readers.awaits.chain(view->coroutine);
    if (chain.frames.empty()) continue;
    std::vector<std::string> text;
    text.reserve(chain.frames.size());
    for (const auto& frame : chain.frames) {
      text.push_back(fmt::format("{} {} {}", frame.function, frame.file, frame.line.value_or(0)));
    }
    auto& [count, frames] = chains[text];
    if (count++ == 0) frames = std::move(chain.frames);
    site.counts.waiting_of++;
  }
  for (const auto& [text, chain] : chains) {
    if (chain.first <= site.counts.waiting_here) continue;
    site.counts.waiting_here = chain.first;
    site.counts.waiting_at = chain.second;
  }
  site.counts.held = census::estimate_held(site.some, site.tasks, readers, most_objects_per_site);
}

std::shared_ptr<const SiteIdentity> ProcessCensus::identity(const census::Group& group) {
  const auto key =
      fmt::format("{} {} {} {}", group.kind, group.text.name, group.text.file, group.text.line.value_or(0));
  auto& known = identities_[key];
  if (known) return known;
  static std::uint64_t handed_out = 0;
  auto made = std::make_shared<SiteIdentity>();
  made->id = session_wide | ++handed_out;
  made->pid = reader_->heap().pid;
  made->process = process_.id;
  made->kind = group.kind;
  made->coroutine = group.text.name;
  made->file = group.text.file;
  made->line = group.text.line;
  return known = std::move(made);
}

SiteSample ProcessCensus::row_of(const census::Group& group) {
  SiteSample row;
  row.identity = identity(group);
  row.by_census = true;
  row.outstanding = group.count;
  row.census.emplace();
  row.census->buffered_bytes = group.write_buffer_bytes;
  return row;
}

void ProcessCensus::read_groups(const census::Snapshot& snapshot) {
  auto& readers = reader_->readers();
  auto loops = census::view_loops(snapshot, readers);
  std::vector<census::TransportView> transports;
  const census::Transports transport_reader(&readers);
  for (const auto address : snapshot.transports) {
    if (auto view = transport_reader.transport(address)) transports.push_back(std::move(*view));
  }
  groups_.clear();
  for (const auto& groups : {census::group_generators("coroutine", snapshot.unstarted, readers),
                             census::group_generators("asyncgen", snapshot.asyncgens, readers),
                             census::group_timers(loops), census::group_transports(transports)}) {
    for (const auto& group : groups) {
      auto site = row_of(group);
      if (group.kind == "coroutine" || group.kind == "asyncgen") {
        site.census->holders = holders_.of(site.identity->id, group.count, group.examples, *reader_);
      }
      if (group.kind == "asyncgen") site.census->waiting_at = readers.awaits.chain(group.examples.front()).frames;
      site.census->pattern = SiteEvidence::of_group(group, *reader_);
      groups_.push_back(std::move(site));
    }
  }
  growing_.look(snapshot, *reader_);
  for (const auto& container : growing_.named()) {
    census::Group group;
    group.kind = "alloc";
    group.text.name = container.title;
    group.count = container.length;
    groups_.push_back(row_of(group));
    groups_.back().census->pattern = census::evidence_of_container(container.address, container.queue, readers);
  }
  asyncgens_ = snapshot.asyncgens.size();
  loops_ = std::move(loops.loops);
}

void ProcessCensus::add_to(ProcessSample& process, const std::map<std::uint64_t, SiteSample*>& sites_by_id,
                           std::vector<SiteSample>& more) const {
  if (!looked_) return;
  process.census = sample_;
  process.memory = memory_;
  if (!deadlock_.empty()) process.warnings.push_back("deadlock: " + deadlock_);
  process.loops = loops_;
  process.asyncgens = asyncgens_;
  const bool seen = std::ranges::all_of(loops_, [](const LoopSample& loop) { return loop.unknown.empty(); });
  process.loop_coverage = !sample_.complete ? Coverage::at_least : seen ? Coverage::exact : Coverage::none;
  for (const auto& [id, counts] : sites_) {
    if (const auto site = sites_by_id.find(id); site != sites_by_id.end()) site->second->census = counts;
  }
  for (const auto& site : groups_) more.push_back(site);
}

}  // namespace asyncleak::live
