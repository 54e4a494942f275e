#include "live/live_source.h"

#include "live/censuses.h"
#include "live/inspector.h"
#include "probe/calibration.h"
#include "probe/clock.h"
#include "probe/map_reader.h"
#include "probe/mmap_watch.h"
#include "probe/slow_steps.h"
#include "probe/task_records.h"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <cerrno>
#include <optional>
#include <set>

namespace asyncleak::live {

namespace {

// Mapping events tell at once; this finds what lost ones did not and costs a look at every process.
constexpr std::int64_t full_scan_interval_ns = 30'000'000'000;

Result<Fd> wait_for(const probe::MmapWatch& watch) {
  Fd epoll(epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return fail(system_error("epoll_create1", errno));
  for (const int fd : watch.fds()) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    if (epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event) != 0) return fail(system_error("epoll_ctl", errno));
  }
  return epoll;
}

}  // namespace

struct LiveSource::State {
  probe::Session session;
  probe::MmapWatch mappings;
  Fd epoll;
  probe::Catalog catalog;
  probe::MapReader reader;
  probe::TaskRecords records;
  Censuses censuses;
  MemoryModes memory;
  double trap_ns = 0;
  std::int64_t last_full_scan_ns = 0;

  void tell(InspectedTask& task, std::uint32_t process);

  State(probe::Session loaded, probe::MmapWatch watch, Fd waiting, WatchOptions options)
      : session(std::move(loaded)),
        mappings(std::move(watch)),
        epoll(std::move(waiting)),
        catalog(&session, std::move(options.scope)),
        reader(session, catalog, options.keep_ended),
        records(session),
        censuses(options.census_percent),
        memory(session, options.memory) {}
};

// What the kernel knows of a task: where and when it was created.
void LiveSource::State::tell(InspectedTask& task, std::uint32_t process) {
  const auto known = records.births_of(process, std::span(&task.address, 1));
  if (!known || known->front().site == 0) return;
  const auto identity = reader.identity_of(known->front().site);
  if (!identity) return;
  task.created_at = identity->created_at;
  task.age_at_least = identity->preexisting;
  task.age_s = static_cast<double>(probe::monotonic_ns() - known->front().born_ns) / 1e9;
}

LiveSource::LiveSource(std::unique_ptr<State> state) : state_(std::move(state)) {}
LiveSource::LiveSource(LiveSource&&) noexcept = default;
LiveSource::~LiveSource() = default;

Result<LiveSource> LiveSource::make(WatchOptions options) {
  const auto pids = options.scope.pids;
  auto session = probe::Session::make(options.session);
  if (!session) return fail(session.error());
  auto watch = probe::MmapWatch::make();
  if (!watch) return fail(watch.error());
  auto epoll = wait_for(*watch);
  if (!epoll) return fail(epoll.error());
  auto state = std::make_unique<State>(std::move(*session), std::move(*watch), std::move(*epoll), std::move(options));
  if (state->memory.measures_steps()) {  // loading takes longer than a program needs for its first steps
    if (auto opened = state->session.open_steps(); !opened) return fail(opened.error());
  }
  auto trap = probe::measure_trap_ns(state->session);
  if (!trap) return fail(trap.error());
  state->trap_ns = *trap;
  for (const pid_t pid : pids) {
    if (auto watched = state->catalog.require(pid); !watched) return fail(watched.error());
  }
  state->catalog.scan(true);
  state->last_full_scan_ns = probe::monotonic_ns();
  return LiveSource(std::move(state));
}

int LiveSource::event_fd() const { return state_->epoll.get(); }

void LiveSource::react() {
  std::set<pid_t> changed;  // an interpreter maps several files of its own
  for (const auto& mapping : state_->mappings.take()) changed.insert(mapping.pid);
  // What cannot be watched becomes a warning of its process, or is not ours.
  for (const pid_t pid : changed) (void)state_->catalog.consider(pid);
  if (!changed.empty()) state_->memory.greet(state_->catalog, state_->records);
}

Sample LiveSource::sample() {
  react();
  const bool full = probe::monotonic_ns() - state_->last_full_scan_ns > full_scan_interval_ns;
  if (full) state_->last_full_scan_ns = probe::monotonic_ns();
  state_->catalog.scan(full);
  state_->catalog.check_layouts();
  state_->censuses.look(state_->catalog, {&state_->records, &state_->reader});
  // After the first look: tasks from before the attach have their sites then.
  state_->memory.update(state_->catalog, state_->records, state_->trap_ns);
  auto sample = state_->reader.read(state_->trap_ns, probe::find_running_steps(state_->session, state_->records));
  state_->censuses.add_to(sample);
  state_->memory.add_to(sample, state_->trap_ns);
  return sample;
}

Result<Inspection> LiveSource::inspect(const InspectRequest& request) {
  const auto process = state_->catalog.processes().find(request.pid);
  ProcessReader* reader = state_->censuses.reader_of(request.pid);
  if (process == state_->catalog.processes().end() || reader == nullptr) {
    return live::inspect(request.pid, request);  // says why not, or can without probes
  }
  const auto opened = state_->records.open(process->second);
  if (!opened) return fail(opened.error());
  return live::inspect(*reader, process->second, request, [&](InspectedTask& task) { state_->tell(task, opened->id); });
}

Result<MemoryChange> LiveSource::change_memory(pid_t pid) {
  const auto process = state_->catalog.processes().find(pid);
  if (process == state_->catalog.processes().end()) return fail(fmt::format("PID {} is not watched", pid));
  return state_->memory.set_next(process->second, state_->records);
}

Result<void> LiveSource::watch_tree(pid_t root) { return state_->session.watch(root); }

void LiveSource::prepare(const std::string& executable) {
  // Not a Python executable, or not to be understood: the process itself will show.
  (void)state_->catalog.prepare(executable);
}

const probe::Catalog& LiveSource::catalog() const { return state_->catalog; }

}  // namespace asyncleak::live
