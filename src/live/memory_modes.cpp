#include "live/memory_modes.h"

#include "probe/calibration.h"
#include "probe/clock.h"
#include "python/malloc_provider.h"

#include <fmt/format.h>
#include <iterator>
#include <utility>

namespace asyncleak::live {

namespace {

// The price is a mean over at least this long: a burst of imports is no reason to give up.
constexpr std::int64_t price_window_ns = 3'000'000'000;

MemoryMode mode_after(MemoryMode mode) {
  if (mode == MemoryMode::all) return MemoryMode::objects;
  return mode == MemoryMode::objects ? MemoryMode::malloc : MemoryMode::all;
}

bool is_free_threaded(const probe::KnownProcess& process) {
  return (process.core->interpreter->layout.flags & AL_FREE_THREADED) != 0;
}

}  // namespace

MemoryModes::~MemoryModes() {
  std::vector<probe::Attachment> probes;
  for (auto& [pid, known] : known_) {
    if (!known.counting) continue;
    std::move(known.counting->probes.begin(), known.counting->probes.end(), std::back_inserter(probes));
  }
  probe::Attachment::detach(std::move(probes));
}

void MemoryModes::follow(const probe::Catalog& catalog) {
  for (auto known = known_.begin(); known != known_.end();) {
    const auto process = catalog.processes().find(known->first);
    const bool same = process != catalog.processes().end() && process->second.is_watched() &&
                      process->second.core == known->second.core &&
                      process->second.info.start_ticks == known->second.start_ticks;
    if (!same) stop(known->second);
    known = same ? std::next(known) : known_.erase(known);
  }
  for (const auto& [pid, process] : catalog.processes()) {
    if (known_.contains(pid) || !process.is_watched() || !session_.watches(pid)) continue;
    Known& known = known_[pid];
    known.start_ticks = process.info.start_ticks;
    known.core = process.core;
    known.wanted = options_.mode;
  }
}

bool MemoryModes::has_room() const { return session_.memory() == nullptr || session_.memory()->has_room(); }

bool MemoryModes::replaced_itself(const probe::KnownProcess& process) const {
  return session_.last_exec_ns(process.info.pid).value_or(0) > process.looked_ns;
}

bool MemoryModes::is_due(const Known& known) const {
  return known.mode != known.wanted && !known.counts_allocations() &&
         (known.trouble.empty() || (known.again && has_room()));
}

void MemoryModes::update(const probe::Catalog& catalog, probe::TaskRecords& records, double trap_ns) {
  follow(catalog);
  const auto now_ns = probe::monotonic_ns();
  for (auto& [pid, known] : known_) {
    const auto& process = catalog.processes().at(pid);
    if (known.counting && known.counting->counters().process == 0) {
      stop(known);  // it called exec: another memory
      known.trouble.clear();
    }
    if (known.counts_allocations() && !pools_agree(known)) {
      stop(known);
      begin(known, process, MemoryMode::malloc, records);  // the trouble why stands
    } else if (known.counts_allocations()) {
      check_price(known, trap_ns, now_ns);
    } else if (is_due(known)) {
      switch_to(known, process, records);
    }
    measure_steps(known, process, records);
  }
}

void MemoryModes::greet(const probe::Catalog& catalog, probe::TaskRecords& records) {
  follow(catalog);
  for (auto& [pid, known] : known_) {
    const auto& process = catalog.processes().at(pid);
    if (!process.from_first_task) continue;
    if (is_due(known)) switch_to(known, process, records);
    measure_steps(known, process, records);
  }
}

void MemoryModes::switch_to(Known& known, const probe::KnownProcess& process, probe::TaskRecords& records) {
  stop(known);
  known.trouble.clear();
  if (known.wanted == MemoryMode::objects) return measure_steps(known, process, records);
  if (!begin(known, process, known.wanted, records) && known.wanted == MemoryMode::all) {
    begin(known, process, MemoryMode::malloc, records);
  }
  if (known.counting && known.trouble.empty() && is_free_threaded(process)) {
    known.trouble =
        "this build has an allocator of its own for objects of every size: only what extensions allocate is seen";
  }
  measure_steps(known, process, records);
}

void MemoryModes::measure_steps(Known& known, const probe::KnownProcess& process, probe::TaskRecords& records) {
  if (!measures_steps() || known.counting || !(known.steps_trouble.empty() || known.steps_again)) return;
  auto counting = start(process, MemoryMode::objects, records);
  known.steps_again = !counting && replaced_itself(process);
  known.steps_trouble = counting ? "" : counting.error().message;
  if (counting) known.counting = std::move(*counting);
}

bool MemoryModes::begin(Known& known, const probe::KnownProcess& process, MemoryMode mode,
                        probe::TaskRecords& records) {
  auto counting = start(process, mode, records);
  const bool replaced = !counting && replaced_itself(process);  // then any error comes of that
  known.again = !counting && (replaced || !has_room());
  if (!counting) {
    known.trouble = replaced ? "it called exec just now" : counting.error().message;
    return false;
  }
  known.mode = mode;
  known.counting = std::move(*counting);
  return true;
}

bool MemoryModes::pools_agree(Known& known) {
  auto& counting = *known.counting;
  if (!counting.pools) return true;
  switch (counting.pools->look([&] { return counting.counters(); })) {
    case PoolCheck::Verdict::undecided:
      return true;
    case PoolCheck::Verdict::agrees:
      counting.pools.reset();
      return true;
    case PoolCheck::Verdict::disagrees:
      break;
  }
  known.trouble = counting.pools->finding();
  return false;
}

// Not after the mode in force: where `all` is refused that would never come round to `objects`.
Result<MemoryChange> MemoryModes::set_next(const probe::KnownProcess& process, probe::TaskRecords& records) {
  const auto found = known_.find(process.info.pid);
  if (found == known_.end()) return fail(fmt::format("PID {} is not counted", process.info.pid));
  auto& known = found->second;
  known.wanted = mode_after(known.wanted);
  switch_to(known, process, records);
  if (!known.trouble.empty() && !known.counts_allocations()) return fail(known.trouble);
  return MemoryChange{known.wanted, known.mode};
}

Result<MemoryModes::Planned> MemoryModes::plan(const python::MappedFile& file, Part part, const Plan& make_plan) {
  auto opened = probe::open_image(file);
  if (!opened) return fail(opened.error());
  auto known = plans_.find({opened->key, part});
  if (known == plans_.end()) {
    const auto image = probe::read_image(*opened, file);
    if (!image) return fail(image.error());
    known = plans_.emplace(std::pair(opened->key, part), make_plan(*image)).first;
  }
  if (!known->second) return fail(known->second.error());
  return Planned{std::move(*opened), &*known->second};
}

// In the order in which they are attached: what allocates comes last, when it is known for whom.
Result<std::vector<MemoryModes::Planned>> MemoryModes::plan_all(const probe::KnownProcess& process,
                                                                const python::PythonImages& images,
                                                                const std::optional<python::MappedFile>& provider,
                                                                MemoryMode mode) {
  const auto& asyncio = images.asyncio ? *images.asyncio : *images.core;
  const auto steps = [&](const elf::Image& image) { return probe::plan_steps(image, process.binary->plan->init); };
  std::vector<Result<Planned>> plans;
  plans.push_back(plan(asyncio, Part::steps, steps));
  if (mode == MemoryMode::all) plans.push_back(plan(*images.core, Part::objects, probe::plan_object_allocator));
  if (provider) plans.push_back(plan(*provider, Part::c_allocator, probe::plan_c_allocator));
  std::vector<Planned> all;
  for (auto& each : plans) {
    if (!each) return fail(each.error());
    all.push_back(std::move(*each));
  }
  return all;
}

al_memory MemoryModes::wire_of(const probe::KnownProcess& process, const elf::Image& core, std::uint32_t id,
                               MemoryMode mode) const {
  al_memory wire{};
  wire.process = id;
  wire.tgid = static_cast<std::uint32_t>(process.info.pid);
  wire.core = process.core->index;
  if (options_.lines) wire.flags |= AL_MEMORY_LINES;
  if (mode == MemoryMode::all) wire.flags |= AL_MEMORY_OBJECTS;
  if (mode == MemoryMode::objects) wire.flags |= AL_MEMORY_STEPS_ONLY;
  wire.bias = process.bias;
  wire.min_size = options_.min_size;
  wire.slow_step_ns = options_.slow_step_ns;
  if (const auto truth = core.dynamic_symbol("_Py_TrueStruct")) wire.true_object = *truth + process.bias;
  wire.task_coro = process.objects->task_coro;
  return wire;
}

Result<void> MemoryModes::attach(Counting& counting, const probe::KnownProcess& process,
                                 const std::vector<Planned>& plans) {
  for (const auto& each : plans) {
    auto probes = counting.session->attach(counting.memory, each.image.path(), each.plan->probes, process.info.pid);
    if (!probes) return fail(probes.error());
    counting.probes.push_back(std::move(*probes));
  }
  // One that came before MemorySession::add() is not seen otherwise.
  if (replaced_itself(process)) return fail(fmt::format("PID {} called exec just now", process.info.pid));
  // Of the larger ones alone the pools know nothing.
  if ((counting.counters().flags & AL_MEMORY_OBJECTS) == 0 || options_.min_size > 0) return {};
  auto check = PoolCheck::begin(process, [&] { return counting.counters(); });
  if (!check) return fail(check.error());
  counting.pools = std::move(*check);
  return {};
}

Result<MemoryModes::Counting> MemoryModes::start(const probe::KnownProcess& process, MemoryMode mode,
                                                 probe::TaskRecords& records) {
  const pid_t pid = process.info.pid;
  if (!process.objects) return fail(process.objects.error());
  const auto images = python::find_images(pid);
  if (!images) return fail(images.error());
  if (!images->core) return fail(fmt::format("PID {} runs no Python any more", pid));
  const auto core = probe::read_image(*images->core);
  if (!core) return fail(core.error());
  const bool steps_only = mode == MemoryMode::objects;
  std::optional<python::MappedFile> provider;  // of allocations
  if (!steps_only) {
    auto found = python::find_malloc_provider(pid, *core, process.bias);
    if (!found) return fail(found.error());
    provider = std::move(*found);
  }
  const auto plans = plan_all(process, *images, provider, mode);
  if (!plans) return fail(plans.error());
  const auto opened = records.open(process);
  if (!opened) return fail(opened.error());
  auto session = steps_only ? session_.open_steps() : session_.open_memory();
  if (!session) return fail(session.error());
  if (!return_ns_) {
    const auto measured = probe::measure_return_ns(session_);
    if (!measured) return fail(measured.error());
    return_ns_ = *measured;
  }

  const auto memory = (*session)->add(wire_of(process, *core, opened->id, mode));
  if (!memory) return fail(memory.error());

  Known made;  // stop() takes back what was begun
  made.counting = Counting{};
  auto& counting = *made.counting;
  counting.session = *session;
  counting.memory = *memory;
  counting.process = opened->id;
  counting.since_ns = counting.checked_ns = probe::monotonic_ns();
  counting.steps_only = steps_only;
  if (provider) counting.allocator = fmt::format("{} ({})", plans->back().plan->allocator, provider->path);
  const auto attached = attach(counting, process, *plans);
  if (!attached) {
    stop(made);
    return fail(attached.error());
  }
  return std::move(counting);
}

void MemoryModes::stop(Known& known) {
  known.mode = MemoryMode::objects;
  if (!known.counting) return;
  auto& counting = *known.counting;
  probe::Attachment::detach(std::move(counting.probes));
  counting.session->remove(counting.memory);
  session_.forget_allocations(counting.process);
  known.counting.reset();
}

double MemoryModes::hit_cost_ns(const al_memory& memory, double trap_ns) const {
  double ns = trap_ns;
  if (memory.hits > 0) {
    ns += return_ns_.value_or(0) * static_cast<double>(memory.return_hits) / static_cast<double>(memory.hits);
  }
  if (memory.timed_hits > 0) ns += static_cast<double>(memory.timed_ns) / static_cast<double>(memory.timed_hits);
  return ns;
}

void MemoryModes::check_price(Known& known, double trap_ns, std::int64_t now_ns) {
  auto& counting = *known.counting;
  if (now_ns - counting.checked_ns < price_window_ns) return;
  const auto memory = counting.counters();
  const auto hits = static_cast<double>(memory.hits - counting.checked_hits);
  const double percent = 100 * hits * hit_cost_ns(memory, trap_ns) / static_cast<double>(now_ns - counting.checked_ns);
  counting.checked_hits = memory.hits;
  counting.checked_ns = now_ns;
  if (percent <= options_.overhead_limit_percent) return;
  known.trouble = fmt::format(
      "counting its allocations took {:.0f}% of a core, the limit is {:.0f}% (--overhead-limit): switched off", percent,
      options_.overhead_limit_percent);
  stop(known);
}

void MemoryModes::add_to(Sample& sample, double trap_ns) const {
  for (auto& process : sample.processes) {
    const auto found = known_.find(process.pid);
    if (found == known_.end() || process.ended) continue;
    const auto& known = found->second;
    if (!known.steps_trouble.empty()) process.warnings.push_back("--slow-step: " + known.steps_trouble);
    if (known.wanted == MemoryMode::objects && known.trouble.empty()) continue;
    ProcessAllocations& shown = process.allocations.emplace();
    shown.mode = known.mode;
    shown.lines = options_.lines;
    shown.trouble = known.trouble;
    if (!known.trouble.empty()) {
      process.warnings.push_back(fmt::format("--memory {}: {}", name_of(known.wanted), known.trouble));
    }
    if (!known.counts_allocations()) continue;
    const auto memory = known.counting->counters();
    shown.allocator = known.counting->allocator;
    shown.since_ns = known.counting->since_ns;
    shown.hits_total = memory.hits;
    shown.cost_ns_per_hit = hit_cost_ns(memory, trap_ns);
    shown.untracked_blocks = memory.untracked_blocks;
  }
  sample.probes.slow_step_ns = options_.slow_step_ns;
  if (session_.memory() == nullptr) return;
  sample.probes.blocks_limit = session_.options().max_blocks;
  for (const auto& site : sample.sites) {
    if (site.allocations) sample.probes.blocks_used += site.allocations->blocks;
  }
}

}  // namespace asyncleak::live
