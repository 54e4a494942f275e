#include "probe/live_source.h"

#include "probe/calibration.h"
#include "probe/clock.h"
#include "probe/map_reader.h"
#include "probe/mmap_watch.h"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <cerrno>
#include <optional>
#include <set>

namespace asyncleak::probe {

namespace {

// Mapping events tell at once; this finds what lost ones did not and costs a look at every process.
constexpr std::int64_t full_scan_interval_ns = 30'000'000'000;

Result<Fd> wait_for(const MmapWatch& watch) {
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
  Session session;
  MmapWatch mappings;
  Fd epoll;
  Catalog catalog;
  MapReader reader;
  double trap_ns = 0;
  std::int64_t last_full_scan_ns = 0;

  State(Session loaded, MmapWatch watch, Fd waiting, WatchOptions options)
      : session(std::move(loaded)),
        mappings(std::move(watch)),
        epoll(std::move(waiting)),
        catalog(&session, std::move(options.scope)),
        reader(session, catalog, options.keep_ended) {}
};

LiveSource::LiveSource(std::unique_ptr<State> state) : state_(std::move(state)) {}
LiveSource::LiveSource(LiveSource&&) noexcept = default;
LiveSource::~LiveSource() = default;

Result<LiveSource> LiveSource::make(WatchOptions options) {
  const auto pids = options.scope.pids;
  auto session = Session::make(options.session);
  if (!session) return fail(session.error());
  auto watch = MmapWatch::make();
  if (!watch) return fail(watch.error());
  auto epoll = wait_for(*watch);
  if (!epoll) return fail(epoll.error());
  auto state = std::make_unique<State>(std::move(*session), std::move(*watch), std::move(*epoll), std::move(options));
  auto trap = measure_trap_ns(state->session);
  if (!trap) return fail(trap.error());
  state->trap_ns = *trap;
  for (const pid_t pid : pids) {
    if (auto watched = state->catalog.require(pid); !watched) return fail(watched.error());
  }
  state->catalog.scan(true);
  state->last_full_scan_ns = monotonic_ns();
  return LiveSource(std::move(state));
}

int LiveSource::event_fd() const { return state_->epoll.get(); }

void LiveSource::react() {
  std::set<pid_t> changed;  // an interpreter maps several files of its own
  for (const auto& mapping : state_->mappings.take()) changed.insert(mapping.pid);
  // What cannot be watched becomes a warning of its process, or is not ours.
  for (const pid_t pid : changed) (void)state_->catalog.consider(pid);
}

Sample LiveSource::sample() {
  react();
  const bool full = monotonic_ns() - state_->last_full_scan_ns > full_scan_interval_ns;
  if (full) state_->last_full_scan_ns = monotonic_ns();
  state_->catalog.scan(full);
  state_->catalog.check_layouts();
  return state_->reader.read(state_->trap_ns);
}

Result<void> LiveSource::watch_tree(pid_t root) { return state_->session.watch(root); }

void LiveSource::prepare(const std::string& executable) {
  // Not a Python executable, or not to be understood: the process itself will show.
  (void)state_->catalog.prepare(executable);
}

const Catalog& LiveSource::catalog() const { return state_->catalog; }

}  // namespace asyncleak::probe
