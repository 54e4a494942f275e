#include "census/snapshot.h"

#include "census/memory_map.h"

#include <fmt/format.h>
#include <algorithm>
#include <ctime>
#include <unordered_set>

namespace asyncleak::census {
namespace {

std::int64_t monotonic_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

class Collector {
 public:
  Collector(const Heap& heap, Readers& readers) : where_(heap.objects), readers_(readers) {}

  void operator()(const FoundObject& found) {
    switch (found.type->kind) {
      case Kind::task:
        add_task(found);
        break;
      case Kind::coroutine:
        add_generator(found, GeneratorState::created, coroutines_);
        break;
      case Kind::async_generator:
        add_generator(found, GeneratorState::suspended, asyncgens_);
        break;
      case Kind::loop:
        out.loops.push_back(found.address);
        break;
      case Kind::transport:
        out.transports.push_back(found.address);
        break;
      case Kind::queue:
        out.queues.push_back(found.address);
        break;
      case Kind::sync:
        out.syncs.push_back(found.address);
        break;
      case Kind::timer_handle:
        out.timer_handles.push_back(found.address);
        break;
      case Kind::list:
      case Kind::set:
      case Kind::dict:
      case Kind::deque:
        add_container(found);
        break;
      case Kind::python_task:
        out.python_tasks++;
        break;
      default:
        break;
    }
  }

  void finish() {
    keep(
        coroutines_, [](GeneratorState state) { return state == GeneratorState::created; }, out.unstarted);
    keep(
        asyncgens_,
        [](GeneratorState state) { return state == GeneratorState::suspended || state == GeneratorState::running; },
        out.asyncgens);
    leave_out_those_of_tasks();
  }

  Snapshot out;

 private:
  void add_container(const FoundObject& found) {
    const auto at = found.type->kind == Kind::dict  ? where_.dict_used
                    : found.type->kind == Kind::set ? where_.set_used
                                                    : readers_.objects.heap().layout.tuple_size;  // ob_size
    const auto length = found.field<std::uint64_t>(at);
    constexpr std::uint64_t largest = std::uint64_t{1} << 40;
    if (length < shortest_watched_container || length > largest) return;
    out.containers.push_back({found.address, length, found.type->index});
  }

  void add_task(const FoundObject& found) {
    TaskRecord task;
    task.address = found.address;
    task.coroutine = found.field<std::uint64_t>(where_.task_coro);
    task.waits_for = found.field<std::uint64_t>(where_.task_fut_waiter);
    switch (found.field<std::int32_t>(where_.future_state)) {
      case 0:
        task.state = TaskState::pending;
        break;
      case 1:
        task.state = TaskState::cancelled;
        break;
      case 2:
        task.state = found.field<std::uint64_t>(where_.future_exception) != 0 ? TaskState::failed : TaskState::finished;
        break;
      default:
        break;
    }
    task.cancel_requested = task.state == TaskState::pending && cancel_requested(found);
    out.tasks.push_back(task);
  }

  [[nodiscard]] bool cancel_requested(const FoundObject& found) const {
    const bool by_bit = (where_.flags & python::obj_must_cancel_bit) != 0;
    const bool must = by_bit ? (found.field<std::uint8_t>(where_.task_must_cancel) & where_.must_cancel_mask) != 0
                             : found.field<std::int32_t>(where_.task_must_cancel) != 0;
    const bool asked = where_.task_num_cancels != AL_ABSENT && found.field<std::int32_t>(where_.task_num_cancels) != 0;
    return must || asked;
  }

  // Where the object itself says its state, only those that may be in STATE are remembered.
  void add_generator(const FoundObject& found, GeneratorState state, std::deque<std::uint64_t>& list) const {
    if ((where_.flags & python::obj_gen_state) != 0) {
      const auto is = found.field<std::int8_t>(where_.gen_state);
      const bool created = is == where_.states.created;
      const bool over = is == where_.states.completed || is == where_.states.cleared;
      if (state == GeneratorState::created ? !created : created || over) return;
    }
    list.push_back(found.address);
  }

  template <class Wanted>
  void keep(const std::deque<std::uint64_t>& list, Wanted wanted, std::vector<GeneratorRecord>& kept) const {
    for (const auto address : list) {
      if (wanted(readers_.coroutines.state(address))) kept.push_back({address, readers_.coroutines.code(address)});
    }
  }

  // A task that was created and has not yet had its first step is a task, not a forgotten coroutine.
  void leave_out_those_of_tasks() {
    if (out.unstarted.empty()) return;
    std::unordered_set<std::uint64_t> unstarted;
    for (const auto& record : out.unstarted) unstarted.insert(record.address);
    for (const auto& task : out.tasks) unstarted.erase(task.coroutine);
    std::erase_if(out.unstarted, [&](const GeneratorRecord& record) { return !unstarted.contains(record.address); });
  }

  const python::ObjectLayout& where_;
  Readers& readers_;
  std::deque<std::uint64_t> coroutines_, asyncgens_;
};

}  // namespace

std::vector<std::string> Snapshot::reasons() const {
  std::vector<std::string> out;
  if (swapped_bytes > 0) out.push_back(fmt::format("{} MiB are swapped out, not looked at", (swapped_bytes >> 20) + 1));
  if (ranges_cut) out.emplace_back("it has more memory mapped than is looked at");
  if (scan.unreadable_bytes > 0) out.emplace_back("memory was unmapped during the look");
  return out;
}

CensusSample Snapshot::summary() const {
  CensusSample sample;
  sample.taken_ns = ended_ns;
  sample.duration_s = static_cast<double>(ended_ns - began_ns) / 1e9;
  sample.objects = scan.objects;
  sample.tasks = tasks.size();
  sample.python_tasks = python_tasks;
  sample.reasons = reasons();
  sample.complete = sample.reasons.empty();
  return sample;
}

Result<Snapshot> take_snapshot(const Heap& heap, Readers& readers) {
  const auto began = monotonic_ns();
  const auto ranges = heap_ranges(heap.pid);
  if (!ranges) return fail(ranges.error());
  Collector collector(heap, readers);
  HeapScan scan(&heap, &readers.types);
  collector.out.scan = scan.run(ranges->resident, collector);
  collector.finish();
  Snapshot snapshot = std::move(collector.out);
  snapshot.swapped_bytes = ranges->swapped_bytes;
  snapshot.ranges_cut = ranges->cut;
  snapshot.began_ns = began;
  snapshot.ended_ns = monotonic_ns();
  return snapshot;
}

}  // namespace asyncleak::census
