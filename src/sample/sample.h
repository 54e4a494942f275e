// What was observed at one moment: self-contained, names resolved, no address that needs the
// target alive. Record, replay and live are the same from here on.
//
// Made by src/probe (map_reader), read by src/model, kept by recording.h. A new field goes into fields.h, too. Passive
// values; units in the names. nullopt = not observed; never 0 instead.
#pragma once

#include "sample/allocations.h"
#include "sample/census_sample.h"
#include "util/shared.h"

#include <sys/types.h>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace asyncleak {

// Never changes during a session, so it is shared, not copied, from sample to sample.
struct SiteIdentity {
  std::uint64_t id = 0;  // unique in the session, also across processes
  pid_t pid = 0;
  std::uint32_t process = 0;      // ProcessSample::id
  std::string kind = "task";      // task, coroutine, asyncgen, timer, transport, alloc
  std::string coroutine;          // qualified name; "?" where it could not be read
  std::string file;               // empty: not known
  std::optional<int> line;        // first line of the coroutine function
  std::vector<Frame> created_at;  // innermost first
  bool stack_cut = false;         // frames were left out below the last one
  bool blocks = false;            // kind alloc, by_census: outstanding are blocks that code outside any task allocated
  bool preexisting = false;       // existed before we watched: ages are "at least", no creation stack
};

// COUNT tasks that exist and were born in [born_from_ns, born_to_ns), CLOCK_MONOTONIC.
struct Cohort {
  std::int64_t born_from_ns = 0;
  std::int64_t born_to_ns = 0;
  std::uint64_t count = 0;
};

// Steps of a site's tasks that held their event loop longer than --slow-step.
struct SlowSteps {
  std::uint64_t count = 0;       // that ended
  std::uint64_t longest_ns = 0;  // of those
  std::uint64_t running_ns = 0;  // so far, of one that has not ended; 0: none
};

// Of a busy site the time of the last creation is noise below what an age is shown in, and would be half of a
// recording: 30 bits a second, which no compression takes away.
constexpr int birth_resolution_bits = 24;
[[nodiscard]] constexpr std::int64_t coarse_birth_ns(std::int64_t ns) {
  return ns >> birth_resolution_bits << birth_resolution_bits;
}

struct SiteSample {
  std::shared_ptr<const SiteIdentity> identity;
  bool by_census = false;     // no probe sees these: births, deaths and ages are not known
  Shared<SiteCensus> census;  // the same from refresh to refresh until the next look
  std::uint64_t created_total = 0;
  std::uint64_t destroyed_total = 0;
  std::uint64_t outstanding = 0;
  std::uint64_t preexisting = 0;     // of outstanding or destroyed: not created under our eyes (older, or by fork)
  std::uint64_t untracked = 0;       // created when the map was full: outstanding is "at least" without them
  std::int64_t first_seen_ns = 0;    // CLOCK_MONOTONIC
  std::int64_t last_created_ns = 0;  // to 17 ms: see coarse_birth_ns
  std::vector<Cohort> cohorts;       // disjoint, oldest first, empty ones left out; sum = outstanding
  std::optional<SiteAllocations> allocations;      // nullopt: not counted (--memory objects)
  std::optional<SlowSteps> slow_steps;             // nullopt: not measured
  std::optional<std::uint64_t> destroyed_pending;  // of destroyed_total: had not finished; nullopt: not known
};

enum class Coverage {
  exact,         // watched since before the first task, or the older ones were found and counted
  since_attach,  // tasks created earlier are not counted
  at_least,      // events of this process were lost: numbers are lower bounds
  none,          // nothing observed; the warning says why
};

// Where a process runs that is not simply on this machine; its container's id is beside. Empty: not known, or none.
struct ContainerFacts {
  std::string runtime, pod, pod_uid, pod_namespace;
  std::optional<pid_t> pid;  // inside, where that is another number
};

struct ProcessSample {
  std::uint32_t id = 0;  // unique in the session; 0: known to /proc only, no event yet
  pid_t pid = 0;
  std::string comm, cmdline, exe, python, unit, container;
  ContainerFacts inside;
  std::optional<std::int64_t> started_wall_ns;  // CLOCK_REALTIME
  std::optional<std::uint64_t> rss_bytes, vms_bytes;
  Coverage tasks = Coverage::since_attach;
  std::uint64_t destroyed_unknown = 0;  // tasks from before the attach that ended since
  bool ended = false;                   // the last sample that shows it
  Coverage loop_coverage = Coverage::none;
  std::vector<LoopSample> loops;
  std::optional<std::uint64_t> asyncgens;         // started, not finished
  std::optional<std::uint64_t> never_awaited;     // coroutines, since attach; nullopt: no place found where it warns
  std::vector<NeverAwaited> unawaited;            // the same by coroutine
  std::optional<CensusSample> census;             // nullopt: no look yet, or none possible
  std::optional<MemorySample> memory;             // as old as census
  std::optional<ProcessAllocations> allocations;  // nullopt: --memory objects, and nothing else was asked for
  std::vector<std::string> warnings;
};

struct Drop {
  std::string name;  // snake_case, as in JSON and Prometheus
  std::string meaning;
  std::uint64_t total = 0;
};

struct ProbeSample {
  std::uint64_t hits_total = 0;
  double cost_ns_per_hit = 0;  // measured on this machine at start
  std::vector<Drop> drops;     // every way to lose an event, also those at 0
  std::uint64_t tasks_used = 0, tasks_limit = 0;
  std::uint64_t sites_used = 0, sites_limit = 0;
  std::uint64_t blocks_used = 0, blocks_limit = 0;  // of allocations; limit 0: none are counted
  std::uint64_t slow_step_ns = 0;                   // longer steps are counted; 0: steps are not measured
};

struct Sample {
  std::int64_t wall_ns = 0;         // CLOCK_REALTIME
  std::int64_t monotonic_ns = 0;    // CLOCK_MONOTONIC
  std::vector<std::string> labels;  // what the user called this moment: --label, key l, SIGUSR1
  std::string host;
  double host_uptime_s = 0;
  ProbeSample probes;
  std::vector<ProcessSample> processes;
  std::vector<SiteSample> sites;
};

}  // namespace asyncleak
