#include "census/circles.h"

#include "census/task_detail.h"
#include "census/variables.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

namespace asyncleak::census {
namespace {

// A walk over frames each: more tasks than this, that wait for no task themselves, are taken to wait for something
// else.
constexpr std::size_t most_followed = 2000;
constexpr std::size_t most_timers = 20'000;

using Members = std::vector<std::uint64_t>;

class WaitReader {
 public:
  explicit WaitReader(const Readers& readers) : readers_(readers) {}

  // What TASK, whose future is no task, waits for: tasks only. nullopt: something else as well.
  [[nodiscard]] std::optional<Members> behind(const TaskRecord& task) const {
    const Type* type = readers_.objects.type_of(task.waits_for);
    if (type == nullptr || type->kind != Kind::future) return std::nullopt;
    if (type->qualname == "_GatheringFuture" && type->module == "asyncio.tasks") {
      const auto children = readers_.objects.attribute(task.waits_for, "_children");
      return children ? pending_of(*children) : std::nullopt;
    }
    if (const std::uint64_t inner = shielded(task.waits_for); inner != 0) return Members{inner};
    return of_asyncio_frame(task.coroutine);
  }

 private:
  [[nodiscard]] Kind kind_of(std::uint64_t object) const {
    const Type* type = object != 0 ? readers_.objects.type_of(object) : nullptr;
    return type != nullptr ? type->kind : Kind::other;
  }

  // nullopt: one of them is no task, or the collection could not be read.
  [[nodiscard]] std::optional<Members> pending_of(std::uint64_t collection) const {
    Members members;
    bool tasks_only = true;
    const bool read = readers_.objects.each_item(collection, [&](std::uint64_t item) {
      const auto task = readers_.awaits.task(item);
      tasks_only = task.has_value();
      if (task && task->state == TaskState::pending) members.push_back(item);
      return tasks_only && members.size() < most_followed;
    });
    if (!read || !tasks_only || members.size() >= most_followed) return std::nullopt;
    return members;
  }

  // Lib/asyncio/tasks.py shield(), 3.8 to 3.15: the outer future's first callback closes over the inner one.
  [[nodiscard]] std::uint64_t shielded(std::uint64_t future) const {
    const Heap& heap = readers_.objects.heap();
    const std::uint64_t callback = heap.word(future + heap.objects.future_callback0);
    if (kind_of(callback) != Kind::function) return 0;
    const auto module = readers_.objects.text(heap.word(callback + heap.objects.function_module));
    const auto name = readers_.objects.text(heap.word(callback + heap.objects.function_qualname));
    if (module != "asyncio.tasks" || name != "shield.<locals>._outer_done_callback") return 0;
    const std::uint64_t inner = closure_value(readers_.objects, callback, "inner").value_or(0);
    return kind_of(inner) == Kind::task ? inner : 0;
  }

  [[nodiscard]] std::uint64_t local(std::uint64_t coroutine, std::string_view name) const {
    for (const Local& each : readers_.coroutines.locals(coroutine)) {
      if (each.name == name) return each.object;
    }
    return 0;
  }

  // asyncio.wait() without a timeout, and the end of a TaskGroup.
  [[nodiscard]] std::optional<Members> of_asyncio_frame(std::uint64_t coroutine) const {
    const auto chain = generators_of(coroutine, readers_);
    if (chain.empty()) return std::nullopt;
    const CodeText* text = readers_.coroutines.text_of_code(readers_.coroutines.code(chain.back()));
    if (text == nullptr) return std::nullopt;
    if (text->qualname == "_wait" && text->file.ends_with("asyncio/tasks.py")) {
      const bool timed = kind_of(local(chain.back(), "timeout_handle")) != Kind::none;
      return timed ? std::nullopt : pending_of(local(chain.back(), "fs"));
    }
    if (text->qualname.starts_with("TaskGroup._") && text->file.ends_with("asyncio/taskgroups.py")) {
      const auto tasks = readers_.objects.attribute(local(chain.back(), "self"), "_tasks");
      return tasks ? pending_of(*tasks) : std::nullopt;
    }
    return std::nullopt;
  }

  const Readers& readers_;
};

Waits read_waits(const Snapshot& snapshot, const Readers& readers) {
  std::unordered_set<std::uint64_t> pending;
  for (const TaskRecord& task : snapshot.tasks) {
    if (task.state == TaskState::pending) pending.insert(task.address);
  }
  Waits waits;
  std::size_t followed = 0;
  const WaitReader reader(readers);
  for (const TaskRecord& task : snapshot.tasks) {
    if (task.state != TaskState::pending || task.waits_for == 0) continue;
    if (pending.contains(task.waits_for)) {
      waits[task.address] = {task.waits_for};
    } else if (followed++ < most_followed) {
      if (auto behind = reader.behind(task)) waits[task.address] = std::move(*behind);
    }
  }
  return waits;
}

// A timer whose callback belongs to a task (task.cancel) or to what knows its task (asyncio.timeout(), async_timeout,
// anyio's scopes before they are nested) will end its wait. False: too many to say.
bool leave_out_timed(const Snapshot& snapshot, const Readers& readers, Waits& waits) {
  const Objects& objects = readers.objects;
  const Heap& heap = objects.heap();
  if (snapshot.timer_handles.size() > most_timers) return false;
  for (const std::uint64_t handle : snapshot.timer_handles) {
    const auto callback = objects.attribute(handle, "_callback");
    const Type* type = callback ? objects.type_of(*callback) : nullptr;
    if (type == nullptr || (type->kind != Kind::method && type->kind != Kind::builtin)) continue;
    const bool bound = type->kind == Kind::method;
    const std::uint64_t self = heap.word(*callback + (bound ? heap.objects.method_self : heap.objects.builtin_self));
    waits.erase(self);
    if (!bound) continue;
    for (const auto* const name : {"_task", "_host_task"}) {
      if (const auto task = objects.attribute(self, name)) waits.erase(*task);
    }
  }
  return true;
}

}  // namespace

std::unordered_set<std::uint64_t> waiting_for_each_other(const Waits& waits) {
  std::unordered_set<std::uint64_t> stuck;
  std::unordered_map<std::uint64_t, std::vector<std::uint64_t>> waiters;
  for (const auto& [task, members] : waits) {
    if (!members.empty()) stuck.insert(task);
    for (const std::uint64_t member : members) waiters[member].push_back(task);
  }
  std::vector<std::uint64_t> free;  // whose waiters may go on
  for (const auto& [member, unused] : waiters) {
    if (!stuck.contains(member)) free.push_back(member);
  }
  while (!free.empty()) {
    const std::uint64_t member = free.back();
    free.pop_back();
    const auto found = waiters.find(member);
    if (found == waiters.end()) continue;
    for (const std::uint64_t waiter : found->second) {
      if (stuck.erase(waiter) > 0) free.push_back(waiter);
    }
  }
  return stuck;
}

std::unordered_set<std::uint64_t> find_circles(const Snapshot& snapshot, const Readers& readers) {
  Waits waits = read_waits(snapshot, readers);
  auto stuck = waiting_for_each_other(waits);
  if (stuck.empty()) return stuck;
  // Only asyncio's own loops let their timers be seen.
  const bool all_seen = std::ranges::all_of(snapshot.loops, [&](std::uint64_t loop) {
    const Type* type = readers.objects.type_of(loop);
    return type != nullptr && type->module.starts_with("asyncio.");
  });
  if (!all_seen || !leave_out_timed(snapshot, readers, waits)) {
    return {};
  }
  return waiting_for_each_other(waits);
}

}  // namespace asyncleak::census
