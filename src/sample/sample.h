// What was observed at one moment: self-contained, names resolved, no address that needs the
// target alive. Record, replay and live are the same from here on.
//
// Made by src/probe (map_reader), read by src/model. Passive values; units in the names.
// nullopt = not observed; never 0 instead.
#pragma once

#include <sys/types.h>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace asyncleak {

struct Frame {
  std::string function;  // qualified name from 3.11 on
  std::string file;
  std::optional<int> line;
  bool operator==(const Frame&) const = default;
};

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
  bool preexisting = false;       // existed before we watched: ages are "at least", no creation stack
};

// COUNT tasks that exist and were born in [born_from_ns, born_to_ns), CLOCK_MONOTONIC.
struct Cohort {
  std::int64_t born_from_ns = 0;
  std::int64_t born_to_ns = 0;
  std::uint64_t count = 0;
};

// What the objects of a site keep alive, estimated from some of them.
struct HeldSample {
  double bytes = 0;        // all of the site's, in the mean
  double error_bytes = 0;  // standard error of that; 0: every one was measured
  std::uint32_t measured = 0;
  bool at_least = false;  // a bound was reached while measuring
};

// What the census saw of a site, which is as old as ProcessSample::census says.
struct SiteCensus {
  std::optional<std::uint64_t> pending, done;  // nullopt: the kind has no such state
  std::uint64_t cancel_requested = 0;          // of pending: cancel() was called, yet they live on
  std::uint64_t failed = 0, cancelled = 0;     // of done
  std::vector<Frame> waiting_at;               // innermost first, the await chain most of them share
  std::uint64_t waiting_here = 0;              // how many of waiting_of have that chain
  std::uint64_t waiting_of = 0;                // looked at
  std::optional<HeldSample> held;
  std::optional<std::uint64_t> buffered_bytes;  // transports: in write buffers
  std::vector<std::string> holders;             // who refers to them, most frequent first; filled on demand
};

struct SiteSample {
  std::shared_ptr<const SiteIdentity> identity;
  bool by_census = false;  // no probe sees these: births, deaths and ages are not known
  std::optional<SiteCensus> census;
  std::uint64_t created_total = 0;
  std::uint64_t destroyed_total = 0;
  std::uint64_t outstanding = 0;
  std::uint64_t preexisting = 0;   // of outstanding or destroyed: not created under our eyes (older, or by fork)
  std::uint64_t untracked = 0;     // created when the map was full: outstanding is "at least" without them
  std::int64_t first_seen_ns = 0;  // CLOCK_MONOTONIC
  std::int64_t last_created_ns = 0;
  std::vector<Cohort> cohorts;  // disjoint, oldest first, empty ones left out; sum = outstanding
};

enum class Coverage {
  exact,         // watched since before the first task
  since_attach,  // tasks created earlier are not counted
  at_least,      // events of this process were lost: numbers are lower bounds
  none,          // nothing observed; the warning says why
};

// An event loop; nullopt: that implementation does not let it be seen, and `unknown` says why.
struct LoopSample {
  std::string kind;  // "asyncio.unix_events._UnixSelectorEventLoop", "uvloop.loop.Loop"
  std::optional<bool> running;
  std::optional<std::uint64_t> ready, timers, timers_cancelled, transports, asyncgens, executor_queue;
  std::string unknown;
};

// How the last look at a process's memory went, and how it agrees with the kernel's counts.
struct CensusSample {
  std::int64_t taken_ns = 0;  // CLOCK_MONOTONIC
  double duration_s = 0;
  std::uint64_t objects = 0;            // tracked by the collector
  std::uint64_t tasks = 0;              // task objects found
  std::uint64_t unknown_to_kernel = 0;  // of those: without a record, although they lived through the look
  std::uint64_t not_found = 0;     // records whose task was not in memory, beyond what came and went during the look
  std::uint64_t python_tasks = 0;  // of the pure Python Task class: no probe sees them
  bool complete = true;
  std::vector<std::string> reasons;  // why not, one clause each
};

// What a process's resident memory is used for; the classes add up to its RSS.
struct MemorySample {
  std::optional<std::uint64_t> arenas_bytes;         // resident, pymalloc's; nullopt: in mapped_bytes with the rest
  std::optional<std::uint64_t> small_objects_bytes;  // of arenas: blocks in use, of at most 512 bytes each
  std::optional<std::uint64_t> small_objects;        // how many blocks
  std::uint64_t c_heap_bytes = 0;                    // the C library's heaps: malloc below 128 KiB, mostly
  std::uint64_t mapped_bytes = 0;                    // other private anonymous memory: large blocks, other allocators
  std::uint64_t stacks_bytes = 0, files_bytes = 0, shared_bytes = 0;
  std::uint64_t swapped_bytes = 0;  // not resident, of all classes
  std::string unknown;              // why the small objects are not known
};

// Coroutines destroyed without ever having been awaited.
struct NeverAwaited {
  std::string coroutine, file;
  std::optional<int> line;
  std::uint64_t count = 0;
};

struct ProcessSample {
  std::uint32_t id = 0;  // unique in the session; 0: known to /proc only, no event yet
  pid_t pid = 0;
  std::string comm, cmdline, exe, python, unit, container;
  std::optional<std::uint64_t> rss_bytes;
  Coverage tasks = Coverage::since_attach;
  std::uint64_t destroyed_unknown = 0;  // tasks from before the attach that ended since
  bool ended = false;                   // the last sample that shows it
  Coverage loop_coverage = Coverage::none;
  std::vector<LoopSample> loops;
  std::optional<std::uint64_t> asyncgens;      // started, not finished
  std::optional<std::uint64_t> never_awaited;  // coroutines, since attach; nullopt: no place found where it warns
  std::vector<NeverAwaited> unawaited;         // the same by coroutine
  std::optional<CensusSample> census;          // nullopt: no look yet, or none possible
  std::optional<MemorySample> memory;          // as old as census
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
};

struct Sample {
  std::int64_t wall_ns = 0;       // CLOCK_REALTIME
  std::int64_t monotonic_ns = 0;  // CLOCK_MONOTONIC
  std::string host;
  double host_uptime_s = 0;
  ProbeSample probes;
  std::vector<ProcessSample> processes;
  std::vector<SiteSample> sites;
};

}  // namespace asyncleak
