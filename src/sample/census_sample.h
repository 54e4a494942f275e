// What the census adds to a sample: states, await chains, loops, memory, and how well it agrees with the kernel.
//
// Part of sample.h. Passive values; nullopt = not observed; never 0 instead.
#pragma once

#include <cstdint>
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

// What the objects of a site keep alive, estimated from some of them.
struct HeldSample {
  double bytes = 0;        // all of the site's, in the mean
  double error_bytes = 0;  // standard error of that; 0: every one was measured
  std::uint32_t measured = 0;
  bool at_least = false;  // a bound was reached while measuring
};

// What tells one pattern of leaking from another, as seen in some objects of a site.
struct PatternEvidence {
  // Of the names that asyncio's patterns are made of ("FIRST_COMPLETED", "call_later", "timeout=") those that code
  // uses: of each function of SiteIdentity::created_at, and of the objects' own (timers: of the callback).
  std::vector<std::vector<std::string>> creator_uses;
  std::vector<std::string> own_uses;
  std::uint64_t looked_at = 0;             // objects; of tasks: pending ones
  std::uint64_t awaited = 0;               // of those: a task waits for it (subprocesses: for its end or its output)
  std::uint64_t left_by_gather = 0;        // of those: part of a gather() that is over
  std::uint64_t left_by_as_completed = 0;  // of those: part of an as_completed() that nobody waits in
  std::uint64_t swallowed = 0;             // of those: cancelled, went on, and is not cleaning up
  std::uint64_t in_circle = 0;             // of the site's pending tasks: they wait only for each other
  std::uint64_t creators = 0;              // pending tasks that run a function of created_at
  std::string item;                        // "callback", "task", "future": most of a growing container; "subprocess"
  std::optional<std::uint64_t> maxsize;    // of a queue; 0: unbounded
  std::optional<std::uint64_t> getters;    // tasks that wait for its items
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
  std::vector<std::string>
      holders;  // who refers to them, most frequent first; empty: nobody was found, or not yet searched
  std::optional<PatternEvidence> pattern;  // nullopt: not looked for
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

}  // namespace asyncleak
