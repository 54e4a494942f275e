#include "live/inspector.h"

#include "census/inspect.h"
#include "live/memory_sample.h"
#include "live/process_reader.h"
#include "probe/clock.h"
#include "probe/map_reader.h"

#include <fmt/format.h>
#include <algorithm>
#include <cmath>
#include <ctime>
#include <unordered_map>

namespace asyncleak::live {
namespace {

Result<census::Snapshot> fresh_snapshot(ProcessReader& reader) {
  reader.refresh();
  return census::take_snapshot(reader.heap(), reader.readers());
}

void wait(double seconds) {
  timespec left{static_cast<time_t>(seconds), static_cast<long>(std::fmod(seconds, 1) * 1e9)};
  while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR) continue;
}

// What tells a task from another one that was made later at the same address.
struct Print {
  std::uint64_t coroutine = 0, name = 0, number = 0;
  bool operator==(const Print&) const = default;
};

Print print_of(const census::TaskRecord& task, census::Readers& readers) {
  const auto view = readers.awaits.task(task.address);
  return view ? Print{view->coroutine, view->name, view->name_number} : Print{};
}

Result<census::Snapshot> lasting(ProcessReader& reader, const InspectRequest& request) {
  auto first = fresh_snapshot(reader);
  if (!first || !request.older_s) return first;
  std::unordered_map<std::uint64_t, Print> prints;
  for (const auto& task : first->tasks) {
    if (matches(task, reader.readers(), request)) prints[task.address] = print_of(task, reader.readers());
  }
  wait(*request.older_s);
  auto second = fresh_snapshot(reader);
  if (!second) return second;
  std::erase_if(second->tasks, [&](const census::TaskRecord& task) {
    const auto known = prints.find(task.address);
    return known == prints.end() || known->second != print_of(task, reader.readers());
  });
  return second;
}

}  // namespace

Result<Inspection> inspect(ProcessReader& reader, const probe::KnownProcess& process, const InspectRequest& request,
                           const census::KnownOfTask& known) {
  const auto snapshot = lasting(reader, request);
  if (!snapshot) return fail(snapshot.error());
  const auto at_least = [&](InspectedTask& task) {
    task.age_s = request.older_s;
    task.age_at_least = request.older_s.has_value();
  };
  auto inspection = census::inspect(reader.heap(), reader.readers(), *snapshot, request, known ? known : at_least);
  auto seen = std::move(inspection.process);
  inspection.process = probe::describe(process);
  inspection.process.loops = std::move(seen.loops);
  inspection.process.asyncgens = seen.asyncgens;
  inspection.process.census = snapshot->summary();
  census::ArenaVariables variables;
  inspection.process.memory = read_memory(reader, variables);
  inspection.wall_ns = probe::clock_ns(CLOCK_REALTIME);
  return inspection;
}

Result<Inspection> inspect(pid_t pid, const InspectRequest& request) {
  probe::Scope scope;
  scope.pids = {pid};
  probe::Catalog catalog(nullptr, scope);
  if (auto found = catalog.require(pid); !found) return fail(found.error());
  const auto& process = catalog.processes().at(pid);
  auto reader = ProcessReader::open(process);
  if (!reader) return fail(reader.error());
  return inspect(**reader, process, request, {});
}

}  // namespace asyncleak::live
