#include "live/memory_modes.h"

#include "probe/clock.h"
#include "probe/memory_plan.h"
#include "python/malloc_provider.h"

#include <fmt/format.h>
#include <utility>

namespace asyncleak::live {

namespace {

// The price is a mean over at least this long: a burst of imports is no reason to give up.
constexpr std::int64_t price_window_ns = 3'000'000'000;

double hit_cost_ns(const al_memory& memory, const probe::TrapCost& cost) {
  double ns = cost.hit_ns;
  if (memory.hits > 0)
    ns += cost.return_ns * static_cast<double>(memory.return_hits) / static_cast<double>(memory.hits);
  if (memory.timed_hits > 0) ns += static_cast<double>(memory.timed_ns) / static_cast<double>(memory.timed_hits);
  return ns;
}

Result<elf::Image> image_of(const python::MappedFile& file) {
  const auto opened = probe::open_image(file);
  if (!opened) return fail(opened.error());
  auto image = elf::Image::open(opened->path());
  if (!image) return fail(within(file.path, image.error()));
  return image;
}

bool is_free_threaded(const probe::KnownProcess& process) {
  return (process.core->interpreter->layout.flags & AL_FREE_THREADED) != 0;
}

// "glibc (/usr/lib/x86_64-linux-gnu/libc.so.6)"
std::string describe(const python::MappedFile& file, const elf::Image& image) {
  const auto allocator = elf::find_c_allocator(image);
  return allocator ? fmt::format("{} ({})", allocator->kind, file.path) : file.path;
}

}  // namespace

void MemoryModes::follow(const probe::Catalog& catalog) {
  for (auto known = known_.begin(); known != known_.end();) {
    const auto process = catalog.processes().find(known->first);
    const bool same = process != catalog.processes().end() && process->second.binary != nullptr &&
                      process->second.core == known->second.core &&
                      process->second.info.start_ticks == known->second.start_ticks;
    if (!same) stop(known->second);
    known = same ? std::next(known) : known_.erase(known);
  }
  for (const auto& [pid, process] : catalog.processes()) {
    if (process.binary == nullptr || !process.core->interpreter || !session_.watches(pid)) continue;
    const auto [known, fresh] = known_.try_emplace(pid);
    if (!fresh) continue;
    known->second.start_ticks = process.info.start_ticks;
    known->second.core = process.core;
    known->second.wanted = options_.mode;
  }
}

void MemoryModes::update(const probe::Catalog& catalog, probe::TaskRecords& records, const probe::TrapCost& cost) {
  follow(catalog);
  const auto now_ns = probe::monotonic_ns();
  for (auto& [pid, known] : known_) {
    if (known.counting && known.counting->counters().process == 0) {
      stop(known);  // it called exec: another memory
      known.trouble.clear();
    }
    if (known.counting && !pools_agree(known)) {
      stop(known);
      fall_back(known, catalog.processes().at(pid), records);
    } else if (known.counting) {
      check_price(known, cost, now_ns);
    } else if (known.mode != known.wanted && known.trouble.empty()) {
      switch_to(known, catalog.processes().at(pid), records);
    }
  }
}

void MemoryModes::greet(const probe::Catalog& catalog, probe::TaskRecords& records) {
  follow(catalog);
  for (auto& [pid, known] : known_) {
    const auto& process = catalog.processes().at(pid);
    if (process.from_first_task && known.mode != known.wanted && known.trouble.empty()) {
      switch_to(known, process, records);
    }
  }
}

void MemoryModes::switch_to(Known& known, const probe::KnownProcess& process, probe::TaskRecords& records) {
  stop(known);
  known.trouble.clear();
  if (known.wanted == MemoryMode::objects) return;
  auto counting = start(process, known.wanted, records);
  if (counting) {
    known.mode = known.wanted;
    known.counting = std::move(*counting);
  } else {
    known.trouble = counting.error().message;
    if (known.wanted == MemoryMode::all) fall_back(known, process, records);
  }
  if (known.counting && known.trouble.empty() && is_free_threaded(process)) {
    known.trouble =
        "this build has an allocator of its own for objects of every size: only what extensions allocate is seen";
  }
}

// The trouble why stands.
void MemoryModes::fall_back(Known& known, const probe::KnownProcess& process, probe::TaskRecords& records) {
  auto counting = start(process, MemoryMode::malloc, records);
  if (!counting) {
    known.trouble = counting.error().message;
    return;
  }
  known.mode = MemoryMode::malloc;
  known.counting = std::move(*counting);
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

Result<MemoryMode> MemoryModes::set(const probe::KnownProcess& process, MemoryMode mode, probe::TaskRecords& records) {
  const auto found = known_.find(process.info.pid);
  if (found == known_.end()) return fail(fmt::format("PID {} is not counted", process.info.pid));
  auto& known = found->second;
  known.wanted = mode;
  switch_to(known, process, records);
  if (!known.trouble.empty() && !known.counting) return fail(known.trouble);
  return known.mode;
}

Result<void> MemoryModes::attach(Counting& counting, const python::MappedFile& file, Part part, const Plan& plan,
                                 pid_t pid) {
  const auto opened = probe::open_image(file);
  if (!opened) return fail(opened.error());
  auto known = plans_.find({opened->key, part});
  if (known == plans_.end()) {
    const auto image = elf::Image::open(opened->path());
    if (!image) return fail(within(file.path, image.error()));
    known = plans_.emplace(std::pair(opened->key, part), plan(*image)).first;
  }
  if (!known->second) return fail(known->second.error());
  auto probes = counting.session->attach(counting.memory, opened->path(), *known->second, pid);
  if (!probes) return fail(probes.error());
  counting.probes.push_back(std::move(*probes));
  return {};
}

Result<MemoryModes::Counting> MemoryModes::start(const probe::KnownProcess& process, MemoryMode mode,
                                                 probe::TaskRecords& records) {
  const pid_t pid = process.info.pid;
  if (!process.objects) return fail(process.objects.error());
  const auto images = python::find_images(pid);
  if (!images) return fail(images.error());
  if (!images->core) return fail(fmt::format("PID {} runs no Python any more", pid));
  const auto core = image_of(*images->core);
  if (!core) return fail(core.error());
  const auto provider = python::find_malloc_provider(pid, *core, process.bias);
  if (!provider) return fail(provider.error());
  const auto library = image_of(*provider);
  if (!library) return fail(library.error());
  const auto opened = records.open(pid);
  if (!opened) return fail(opened.error());
  auto session = session_.open_memory();
  if (!session) return fail(session.error());

  al_memory wire{};
  wire.process = opened->id;
  wire.tgid = static_cast<std::uint32_t>(pid);
  wire.core = process.core->index;
  if (options_.lines) wire.flags |= AL_MEMORY_LINES;
  if (mode == MemoryMode::all) wire.flags |= AL_MEMORY_OBJECTS;
  wire.bias = process.bias;
  wire.min_size = options_.min_size;
  if (const auto truth = core->dynamic_symbol("_Py_TrueStruct")) wire.true_object = *truth + process.bias;
  wire.task_coro = process.objects->task_coro;
  const auto memory = (*session)->add(wire);
  if (!memory) return fail(memory.error());

  Known made;  // stop() takes back what was begun
  made.counting.emplace();
  auto& counting = *made.counting;
  counting.session = *session;
  counting.memory = *memory;
  counting.process = opened->id;
  counting.since_ns = counting.checked_ns = probe::monotonic_ns();
  counting.allocator = describe(*provider, *library);
  const auto begin = [&]() -> Result<void> {
    const auto& task_init = process.binary->plan->init;
    const auto steps = [&](const elf::Image& image) { return probe::plan_steps(image, task_init); };
    auto done = attach(counting, images->asyncio ? *images->asyncio : *images->core, Part::steps, steps, pid);
    if (done && mode == MemoryMode::all) {
      done = attach(counting, *images->core, Part::objects, probe::plan_object_allocator, pid);
    }
    if (done) done = attach(counting, *provider, Part::c_allocator, probe::plan_c_allocator, pid);
    return done;
  };
  auto begun = begin();
  if (begun && mode == MemoryMode::all && options_.min_size == 0) {
    auto check = PoolCheck::begin(process, [&] { return counting.counters(); });
    if (check) {
      counting.pools = std::move(*check);
    } else {
      begun = fail(check.error());
    }
  }
  if (!begun) {
    stop(made);
    return fail(begun.error());
  }
  return std::move(counting);
}

void MemoryModes::stop(Known& known) {
  known.mode = MemoryMode::objects;
  if (!known.counting) return;
  auto& counting = *known.counting;
  counting.probes.clear();
  counting.session->remove(counting.memory);
  counting.session->forget(counting.process);
  for (std::uint32_t id = 1; id <= session_.sites_used(); id++) {
    if (session_.site(id).key.process == counting.process) counting.session->clear_site(id);
  }
  known.counting.reset();
}

void MemoryModes::check_price(Known& known, const probe::TrapCost& cost, std::int64_t now_ns) {
  auto& counting = *known.counting;
  if (now_ns - counting.checked_ns < price_window_ns) return;
  const auto memory = counting.counters();
  const auto hits = static_cast<double>(memory.hits - counting.checked_hits);
  const double percent = 100 * hits * hit_cost_ns(memory, cost) / static_cast<double>(now_ns - counting.checked_ns);
  counting.checked_hits = memory.hits;
  counting.checked_ns = now_ns;
  if (percent <= options_.overhead_limit_percent) return;
  known.trouble = fmt::format(
      "counting its allocations took {:.0f}% of a core, the limit is {:.0f}% (--overhead-limit): switched off", percent,
      options_.overhead_limit_percent);
  stop(known);
}

void MemoryModes::add_to(Sample& sample, const probe::TrapCost& cost) const {
  for (auto& process : sample.processes) {
    const auto found = known_.find(process.pid);
    if (found == known_.end() || process.ended) continue;
    const auto& known = found->second;
    if (known.wanted == MemoryMode::objects && known.trouble.empty()) continue;
    ProcessAllocations& shown = process.allocations.emplace();
    shown.mode = known.mode;
    shown.lines = options_.lines;
    shown.trouble = known.trouble;
    if (!known.trouble.empty()) {
      process.warnings.push_back(fmt::format("--memory {}: {}", name_of(known.wanted), known.trouble));
    }
    if (!known.counting) continue;
    const auto memory = known.counting->counters();
    shown.allocator = known.counting->allocator;
    shown.since_ns = known.counting->since_ns;
    shown.hits_total = memory.hits;
    shown.cost_ns_per_hit = hit_cost_ns(memory, cost);
    shown.untracked_blocks = memory.untracked_blocks;
  }
  if (session_.memory() == nullptr) return;
  sample.probes.blocks_limit = session_.options().max_blocks;
  for (const auto& site : sample.sites) {
    if (site.allocations) sample.probes.blocks_used += site.allocations->blocks;
  }
}

}  // namespace asyncleak::live
