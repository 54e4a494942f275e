// What it means: the one value every view shows.
//
// Made by Model::update, read by src/view. Passive; units in the names; nullopt = not known.
#pragma once

#include "sample/sample.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace asyncleak {

// Of a site, from its trend and the survival of its cohorts. Order = order of badness.
enum class Verdict { fresh, churn, steady, growing, leak };
[[nodiscard]] std::string_view name_of(Verdict verdict);  // "new", "churn", "steady", "growing", "leak"

enum class Severity { warning, leak };
[[nodiscard]] std::string_view name_of(Severity severity);
[[nodiscard]] std::string_view name_of(Coverage coverage);  // "exact", "since-attach", "at-least", "none"

struct SiteRow {
  std::shared_ptr<const SiteIdentity> identity;
  bool by_census = false;  // no probe sees these: births, deaths and ages are not known
  std::uint64_t outstanding = 0, preexisting = 0;
  bool at_least = false;                                        // outstanding is a lower bound
  std::optional<std::uint64_t> created_total, destroyed_total;  // nullopt: by_census
  std::optional<std::uint64_t> pending, done;                   // census; nullopt also for kinds without states
  std::optional<std::uint64_t> cancel_requested;                // of pending: they live on
  std::optional<std::uint64_t> failed, cancelled;               // of done
  SharedList<Frame> waiting_at;                                 // innermost first, the chain most of them share
  std::uint64_t waiting_here = 0, waiting_of = 0;               // how many of those looked at
  std::optional<HeldSample> held;                               // what they keep alive, with its error
  std::optional<std::uint64_t> buffered_bytes;                  // transports: not written yet
  SharedList<std::string> holders;                              // most frequent first
  std::optional<double> created_per_s, destroyed_per_s;         // over the last interval; nullopt in the first sample
  std::optional<double> growth_per_min;                         // robust trend; nullopt until observed long enough
  std::optional<double> oldest_s, median_age_s;                 // nullopt when nothing is outstanding
  bool oldest_at_least = false;  // older than the coarsest cohort ring, or than our watching
  std::optional<std::uint64_t> bytes, allocated_bytes, held_bytes;  // census, allocator probes
  std::optional<SiteAllocations> allocations;                       // nullopt: not counted (--memory objects)
  std::optional<double> allocated_growth_per_min;                   // bytes; robust trend, as growth_per_min
  Verdict allocated_verdict = Verdict::fresh;  // of the bytes, as `verdict` is of what the site counts
  Verdict verdict = Verdict::fresh;
  std::optional<double> confidence;  // in `verdict`, 0 to 1; nullopt while it is `new`
  std::optional<SlowSteps> slow_steps;
  std::optional<std::uint64_t> destroyed_pending;
  Shared<PatternEvidence> pattern;
  SharedList<Cohort> cohorts;  // for the age histogram; times as in the sample
  SharedList<double> history;  // outstanding, oldest first, evenly spaced, newest last: the sparkline
};

// What a process's resident memory grew by while its allocations were counted, and what explains it.
struct MemoryAccount {
  double over_s = 0;
  std::int64_t resident_bytes = 0;
  std::int64_t allocated_bytes = 0;                 // allocated and not freed, by the probes
  std::optional<std::int64_t> small_objects_bytes;  // by the walk of the pools; nullopt: not known
  std::int64_t unexplained_bytes = 0;
};

// Of what the site counts and of its bytes: what a table calls the site.
[[nodiscard]] Verdict worst_verdict(const SiteRow& site);

struct ProcessRow {
  ProcessSample process;
  std::uint64_t outstanding = 0, created_total = 0, destroyed_total = 0;  // tasks
  std::optional<std::uint64_t> pending, done;                             // as old as the census
  std::optional<double> created_per_s, destroyed_per_s, growth_per_min;
  std::optional<std::uint64_t> rss_baseline_bytes;
  std::optional<MemorySample> memory_baseline;                     // the first seen with or after that reading
  std::optional<std::uint64_t> allocated_bytes, allocated_blocks;  // not freed; nullopt: not counted
  std::optional<double> allocation_hits_per_s, allocation_overhead_percent;  // of one core
  std::optional<MemoryAccount> account;
  Verdict verdict = Verdict::fresh;  // the worst of its sites, of every kind
  SharedList<double> history;
};

struct Finding {
  std::string kind;  // DESIGN.md section 2: "task-leak", "overload", "rss-growth", ...
  Severity severity = Severity::warning;
  pid_t pid = 0;
  std::string coroutine, file;
  std::optional<int> line;
  std::vector<Frame> created_at;
  std::optional<std::uint64_t> outstanding, bytes;
  std::optional<double> growth_per_min;            // of what is outstanding
  std::optional<double> allocated_growth_per_min;  // memory-growth of allocated bytes: these
  double since_s = 0;                              // how long it has been standing
  std::string site;                                // site_key() of what it is about; empty: the process
  std::optional<double> confidence;                // 0 to 1; nullopt: a fact, not a judgement
  std::optional<Frame> created_in;                 // first frame of created_at that is the user's own code
  std::vector<Frame> waiting_at;                   // innermost first; empty: not known
  std::optional<Frame> waiting_in;                 // innermost frame of waiting_at that is the user's own code
  std::string why;                                 // one sentence with the numbers
  std::string pattern;                             // "wait-loser": a known way to leak; empty: none is recognised
  std::string hint;                                // what to do about it; empty without a pattern
};

struct Report {
  std::int64_t wall_ns = 0, monotonic_ns = 0;
  double interval_s = 0;  // between the last two samples; 0 in the first
  std::string host;
  double host_uptime_s = 0, watched_s = 0;
  std::vector<std::string> labels;  // of this moment
  ProbeSample probes;
  std::optional<double> hits_per_s, overhead_percent;  // of one core
  std::uint64_t dropped_total = 0;
  std::uint64_t outstanding = 0, created_total = 0, destroyed_total = 0;  // tasks
  std::optional<double> created_per_s, destroyed_per_s;
  std::vector<ProcessRow> processes;  // by pid
  std::vector<SiteRow> sites;         // by id; views sort
  std::vector<Finding> findings;      // leaks first, then by growth
};

}  // namespace asyncleak
