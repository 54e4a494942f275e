#include "census/waiters.h"

#include "census/callables.h"
#include "census/variables.h"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>

namespace asyncleak::census {
namespace {

using How = Waiter::How;

// Lib/asyncio's own callbacks, 3.8 to 3.15, and where they keep whom they tell: a future, a task or a queue.
enum class Keeps { closure, attribute, first_argument, nobody };
struct Known {
  std::string_view module, function;
  How how;
  Keeps keeps;
  std::string_view name;
};
constexpr Known known_callbacks[] = {
    {"asyncio.tasks", "gather.<locals>._done_callback", How::gather, Keeps::closure, "outer"},
    {"asyncio.tasks", "_gather.<locals>._done_callback", How::gather, Keeps::closure, "outer"},  // late 3.9
    {"asyncio.tasks", "shield.<locals>._inner_done_callback", How::shield, Keeps::closure, "outer"},
    {"asyncio.tasks", "_wait.<locals>._on_completion", How::wait, Keeps::closure, "waiter"},
    {"asyncio.tasks", "_release_waiter", How::wait, Keeps::first_argument, ""},  // wait_for, <= 3.11
    {"asyncio.tasks", "as_completed.<locals>._on_completion", How::as_completed, Keeps::closure, "done"},  // <= 3.12
    {"asyncio.tasks", "_AsCompletedIterator._handle_completion", How::as_completed, Keeps::attribute,
     "_done"},  // 3.13+
    {"asyncio.taskgroups", "TaskGroup._on_task_done", How::task_group, Keeps::attribute, "_parent_task"},
    // Clean up, wait for nothing.
    {"asyncio.tasks", "shield.<locals>._outer_done_callback", How::callback, Keeps::nobody, ""},
    {"asyncio.tasks", "shield.<locals>._clear_awaited_by_callback", How::callback, Keeps::nobody, ""},  // 3.14+
    {"asyncio.tasks", "_discard_awaited_by", How::callback, Keeps::nobody, ""},                         // 3.14+
};

constexpr std::size_t most_waiters = 1024;
constexpr int most_callbacks = 1 << 14;  // looked at for one question, those of futures behind included

Kind kind_of(const Objects& objects, std::uint64_t object) {
  const Type* type = object == 0 ? nullptr : objects.type_of(object);
  return type == nullptr ? Kind::other : type->kind;
}

std::uint64_t first_item(const Objects& objects, std::uint64_t sequence) {
  std::uint64_t first = 0;
  objects.each_item(sequence, [&](std::uint64_t item) {
    first = item;
    return false;
  });
  return first;
}

// The builtin method task_wakeup, bound to the task (3.10+). PyMethodDef.ml_name is its first field.
bool is_wakeup(const Heap& heap, std::uint64_t builtin) {
  constexpr std::string_view wanted{"task_wakeup", sizeof "task_wakeup"};  // with the end of the string
  std::array<char, wanted.size()> name{};
  const std::uint64_t text = heap.word(heap.word(builtin + heap.objects.builtin_def));
  if (!heap.memory->read(text, std::as_writable_bytes(std::span(name)))) return false;
  return std::string_view(name.data(), name.size()) == wanted;
}

// The Python function a callback ends in; 0: written in C.
std::uint64_t function_of(const Objects& objects, std::uint64_t callback) {
  const auto& where = objects.heap().objects;
  constexpr int deepest = 8;  // partials of methods of partials
  for (int i = 0; i < deepest; ++i) {
    const Kind kind = kind_of(objects, callback);
    if (kind == Kind::function) return callback;
    if (kind != Kind::partial && kind != Kind::method) return 0;
    callback = objects.heap().word(callback + (kind == Kind::partial ? where.partial_function : where.method_function));
  }
  return 0;
}

std::uint64_t kept(const Objects& objects, std::uint64_t callback, std::uint64_t function, const Known& known) {
  const Heap& heap = objects.heap();
  const Kind kind = kind_of(objects, callback);
  switch (known.keeps) {
    case Keeps::closure:
      return closure_value(objects, function, known.name).value_or(0);
    case Keeps::attribute:
      if (kind != Kind::method) return 0;
      return objects.attribute(heap.word(callback + heap.objects.method_self), known.name).value_or(0);
    case Keeps::first_argument:
      return kind == Kind::partial ? first_item(objects, heap.word(callback + heap.objects.partial_args)) : 0;
    case Keeps::nobody:
      break;
  }
  return 0;
}

}  // namespace

Awaits::Waiters WaiterSearch::waiters(std::uint64_t future) {
  Awaits::Waiters out;
  const Kind kind = kind_of(*objects_, future);
  if (kind != Kind::task && kind != Kind::future) {  // asyncio's pure Python ones, or somebody else's
    out.complete = false;
    return out;
  }
  out.complete = each_callback(future, out);
  add_awaited_by(future, out);
  return out;
}

bool WaiterSearch::each_callback(std::uint64_t future, Awaits::Waiters& out) {
  const Heap& heap = objects_->heap();
  const auto first = heap.memory->value<std::uint64_t>(future + heap.objects.future_callback0);
  const auto list = heap.memory->value<std::uint64_t>(future + heap.objects.future_callbacks);
  if (!first || !list) return false;
  if (*first != 0) add_callback(*first, out);
  const Kind kind = kind_of(*objects_, *list);
  if (*list == 0 || kind == Kind::none) return true;
  if (kind != Kind::list) return false;
  bool all = true;
  const bool followed = objects_->each_item(*list, [&](std::uint64_t item) {  // (callback, context)
    all = all && out.known.size() < most_waiters && kind_of(*objects_, item) == Kind::tuple &&
          looked_at_ < most_callbacks;
    if (all) add_callback(first_item(*objects_, item), out);
    return all;
  });
  return followed && all;
}

void WaiterSearch::add_callback(std::uint64_t callback, Awaits::Waiters& out) {
  const Heap& heap = objects_->heap();
  const auto& where = heap.objects;
  const Kind kind = kind_of(*objects_, callback);
  looked_at_++;
  if (kind == Kind::task_wakeup) {  // 3.8, 3.9
    out.known.push_back({How::task, heap.word(callback + where.step_task), ""});
    return;
  }
  if (kind == Kind::builtin && is_wakeup(heap, callback)) {
    out.known.push_back({How::task, heap.word(callback + where.builtin_self), ""});
    return;
  }
  const std::uint64_t function = function_of(*objects_, callback);
  if (function != 0 && add_known(callback, function, out)) return;
  const Callables callables(objects_, coroutines_);
  out.known.push_back({How::callback, 0, callables.describe(callback).name});
}

bool WaiterSearch::add_known(std::uint64_t callback, std::uint64_t function, Awaits::Waiters& out) {
  const Heap& heap = objects_->heap();
  const auto module = objects_->text(heap.word(function + heap.objects.function_module));
  if (!module || !module->starts_with("asyncio.")) return false;
  const auto name = objects_->text(heap.word(function + heap.objects.function_qualname));
  const auto* known = std::find_if(std::begin(known_callbacks), std::end(known_callbacks), [&](const Known& candidate) {
    return candidate.module == *module && candidate.function == name;
  });
  if (known == std::end(known_callbacks)) return false;
  if (known->keeps == Keeps::nobody) return true;
  const std::uint64_t told = kept(*objects_, callback, function, *known);
  Waiter waiter{known->how, task_behind(told), ""};
  // _GatheringFuture is a subclass of the C Future: its state is where every future has it.
  waiter.over = known->how == How::gather && kind_of(*objects_, told) == Kind::future &&
                heap.memory->value<std::int32_t>(told + heap.objects.future_state).value_or(0) != 0;
  out.known.push_back(std::move(waiter));
  return true;
}

std::uint64_t WaiterSearch::task_behind(std::uint64_t object) {
  constexpr int deepest = 16;  // gathers of shields of gathers
  const Kind kind = kind_of(*objects_, object);
  if (kind == Kind::task) return object;
  if (depth_ >= deepest) return 0;
  depth_++;
  std::uint64_t task = 0;
  if (kind == Kind::queue) {  // of as_completed: whoever waits in get()
    const std::uint64_t getters = objects_->attribute(object, "_getters").value_or(0);
    task = task_behind(first_item(*objects_, getters));
  } else if (kind == Kind::future) {
    Awaits::Waiters found;
    each_callback(object, found);
    const auto first =
        std::find_if(found.known.begin(), found.known.end(), [](const Waiter& waiter) { return waiter.task != 0; });
    if (first != found.known.end()) task = first->task;
  }
  depth_--;
  return task;
}

// 3.14+: the tasks that said so themselves: one object, or a set of them.
void WaiterSearch::add_awaited_by(std::uint64_t future, Awaits::Waiters& out) {
  const Heap& heap = objects_->heap();
  if (heap.objects.task_awaited_by == AL_ABSENT) return;
  const std::uint64_t by = heap.word(future + heap.objects.task_awaited_by);
  const auto add = [&](std::uint64_t waiter) {
    const std::uint64_t task = task_behind(waiter);
    const bool listed =
        std::any_of(out.known.begin(), out.known.end(), [&](const Waiter& other) { return other.task == task; });
    if (task != 0 && !listed) out.known.push_back({How::task, task, "", false, false});
    return out.known.size() < most_waiters;
  };
  if (kind_of(*objects_, by) == Kind::set) {
    out.complete = objects_->each_item(by, add) && out.complete;
  } else {
    add(by);
  }
}

}  // namespace asyncleak::census
