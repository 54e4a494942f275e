// The fields of every struct of a Sample, once: what the codec writes and reads, in this order.
//
// Used by codec.h and its tests. A field that is added to a struct and not here does not compile. It goes to the END of
// the list here, wherever it stands in the struct, and codec_version is raised: recordings of before are then still
// read, with its default.
#pragma once

#include "sample/sample.h"

#include <concepts>
#include <tuple>
#include <type_traits>

namespace asyncleak {

template <class Value, class Struct>
concept Is = std::same_as<std::remove_const_t<Value>, Struct>;

auto fields(Is<Frame> auto& value) {
  auto& [function, file, line] = value;
  return std::tie(function, file, line);
}

auto fields(Is<SiteIdentity> auto& value) {
  auto& [id, pid, process, kind, coroutine, file, line, created_at, stack_cut, blocks, preexisting] = value;
  return std::tie(id, pid, process, kind, coroutine, file, line, created_at, stack_cut, blocks, preexisting);
}

auto fields(Is<HeldSample> auto& value) {
  auto& [bytes, error_bytes, measured, at_least] = value;
  return std::tie(bytes, error_bytes, measured, at_least);
}

auto fields(Is<PatternEvidence> auto& value) {
  auto& [creator_uses, own_uses, looked_at, awaited, by_gather, by_as_completed, swallowed, in_circle, creators, item,
         maxsize, getters] = value;
  return std::tie(creator_uses, own_uses, looked_at, awaited, by_gather, by_as_completed, swallowed, in_circle,
                  creators, item, maxsize, getters);
}

auto fields(Is<SiteCensus> auto& value) {
  auto& [pending, done, cancel, failed, cancelled, waiting_at, here, of, held, buffered, holders, pattern] = value;
  return std::tie(pending, done, cancel, failed, cancelled, waiting_at, here, of, held, buffered, holders, pattern);
}

auto fields(Is<LoopSample> auto& value) {
  auto& [kind, running, ready, timers, timers_cancelled, transports, asyncgens, executor_queue, unknown] = value;
  return std::tie(kind, running, ready, timers, timers_cancelled, transports, asyncgens, executor_queue, unknown);
}

auto fields(Is<CensusSample> auto& value) {
  auto& [taken_ns, duration_s, objects, tasks, unknown, not_found, python_tasks, complete, reasons] = value;
  return std::tie(taken_ns, duration_s, objects, tasks, unknown, not_found, python_tasks, complete, reasons);
}

auto fields(Is<MemorySample> auto& value) {
  auto& [arenas, small_bytes, small, c_heap, mapped, stacks, files, shared, swapped, unknown] = value;
  return std::tie(arenas, small_bytes, small, c_heap, mapped, stacks, files, shared, swapped, unknown);
}

auto fields(Is<NeverAwaited> auto& value) {
  auto& [coroutine, file, line, count] = value;
  return std::tie(coroutine, file, line, count);
}

// Vectors of these two have a coding of their own: cohort_codec.h.
auto fields(Is<Cohort> auto& value) {
  auto& [born_from_ns, born_to_ns, count] = value;
  return std::tie(born_from_ns, born_to_ns, count);
}

auto fields(Is<ByteCohort> auto& value) {
  auto& [born_from_ns, born_to_ns, bytes] = value;
  return std::tie(born_from_ns, born_to_ns, bytes);
}

auto fields(Is<AllocationLine> auto& value) {
  auto& [function, file, line, bytes, blocks, allocated_bytes] = value;
  return std::tie(function, file, line, bytes, blocks, allocated_bytes);
}

auto fields(Is<SiteAllocations> auto& value) {
  auto& [bytes, blocks, in_bytes, in_blocks, out_bytes, out_blocks, lost_bytes, lost_blocks, cohorts, lines] = value;
  return std::tie(bytes, blocks, in_bytes, in_blocks, out_bytes, out_blocks, lost_bytes, lost_blocks, cohorts, lines);
}

auto fields(Is<ProcessAllocations> auto& value) {
  auto& [mode, allocator, since_ns, hits, cost, untracked, lines, trouble] = value;
  return std::tie(mode, allocator, since_ns, hits, cost, untracked, lines, trouble);
}

auto fields(Is<SlowSteps> auto& value) {
  auto& [count, longest_ns, running_ns] = value;
  return std::tie(count, longest_ns, running_ns);
}

auto fields(Is<SiteSample> auto& value) {
  auto& [identity, by_census, census, created, destroyed, outstanding, preexisting, untracked, first_seen_ns,
         last_created_ns, cohorts, allocations, slow_steps, destroyed_pending] = value;
  return std::tie(identity, by_census, census, created, destroyed, outstanding, preexisting, untracked, first_seen_ns,
                  last_created_ns, cohorts, allocations, slow_steps, destroyed_pending);
}

auto fields(Is<ContainerFacts> auto& value) {
  auto& [runtime, pod, pod_uid, pod_namespace, pid] = value;
  return std::tie(runtime, pod, pod_uid, pod_namespace, pid);
}

auto fields(Is<ProcessSample> auto& value) {
  auto& [id, pid, comm, cmdline, exe, python, unit, container, inside, started, rss, vms, tasks, destroyed_unknown,
         ended, loop_coverage, loops, asyncgens, never_awaited, unawaited, census, memory, allocations, warnings] =
      value;
  return std::tie(id, pid, comm, cmdline, exe, python, unit, container, rss, vms, tasks, destroyed_unknown, ended,
                  loop_coverage, loops, asyncgens, never_awaited, unawaited, census, memory, allocations, warnings,
                  inside, started);
}

auto fields(Is<Drop> auto& value) {
  auto& [name, meaning, total] = value;
  return std::tie(name, meaning, total);
}

auto fields(Is<ProbeSample> auto& value) {
  auto& [hits, cost, drops, tasks, tasks_limit, sites, sites_limit, blocks, blocks_limit, slow_step_ns] = value;
  return std::tie(hits, cost, drops, tasks, tasks_limit, sites, sites_limit, blocks, blocks_limit, slow_step_ns);
}

auto fields(Is<Sample> auto& value) {
  auto& [wall_ns, monotonic_ns, labels, host, host_uptime_s, probes, processes, sites] = value;
  return std::tie(wall_ns, monotonic_ns, labels, host, host_uptime_s, probes, processes, sites);
}

template <class Value>
concept Described = requires(Value& value) {
  fields(value);
};

template <Described Value>
constexpr std::size_t field_count = std::tuple_size_v<decltype(fields(std::declval<Value&>()))>;

// How many of them a recording of codec_version VERSION has.
template <Described Value>
constexpr std::size_t fields_in(std::uint32_t version) {
  if (std::same_as<Value, ProcessSample> && version < 2) return 22;  // without inside, started
  return field_count<Value>;
}

}  // namespace asyncleak
