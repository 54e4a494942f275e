#include "census/evidence.h"

#include "census/code_uses.h"
#include "census/task_detail.h"
#include "census/transports.h"

#include <algorithm>
#include <array>
#include <map>
#include <string_view>

namespace asyncleak::census {
namespace {

Kind kind_of(std::uint64_t object, const census::Readers& readers) {
  const auto* type = object != 0 ? readers.objects.type_of(object) : nullptr;
  return type != nullptr ? type->kind : Kind::other;
}

// Whether the coroutine, or one it waits in, stands in an except or finally clause of its own.
bool handles_exception(std::uint64_t coroutine, const Readers& readers) {
  const auto& heap = readers.objects.heap();
  return std::ranges::any_of(generators_of(coroutine, readers), [&](std::uint64_t each) {
    const auto exception = heap.word(each + heap.objects.gen_exception);
    return exception != 0 && kind_of(exception, readers) != Kind::none;
  });
}

// A cancellation that reached it, did not end it, and is not passed on to a task it waits for.
bool swallowed(const TaskView& task, const Readers& readers) {
  if (!task.cancel_requested || readers.objects.heap().objects.gen_exception == AL_ABSENT) return false;
  const auto chain = readers.awaits.chain(task.coroutine);
  if (chain.cut || chain.awaitable == 0) return false;
  const auto behind = readers.awaits.task(chain.awaitable);
  return !(behind && behind->cancel_requested) && !handles_exception(task.coroutine, readers);
}

void add_waiters(std::uint64_t task, const Readers& readers, PatternEvidence& evidence) {
  const auto waiters = readers.awaits.waiters(task);
  bool awaited = !waiters.complete;  // unknown is not "by nobody"
  bool gather_over = false, as_completed = false;
  for (const auto& waiter : waiters.known) {
    // An as_completed() that was left stays in what the future says (Lib/asyncio/tasks.py 3.14).
    awaited |= waiter.task != 0 && waiter.told;
    gather_over |= waiter.over;
    as_completed |= waiter.how == Waiter::How::as_completed && waiter.task == 0;
  }
  evidence.awaited += awaited ? 1 : 0;
  evidence.left_by_gather += !awaited && gather_over ? 1 : 0;
  evidence.left_by_as_completed += !awaited && as_completed ? 1 : 0;
}

// asyncio.subprocess.Process: somebody in wait(), or reading its output (communicate() does both).
bool is_waited_for(std::uint64_t transport, const Readers& readers) {
  const auto& objects = readers.objects;
  const auto waiters = objects.attribute(transport, "_exit_waiters");
  if (waiters && objects.length(*waiters).value_or(0) > 0) return true;
  const auto protocol = objects.attribute(transport, "_protocol");
  if (!protocol) return true;  // not known
  return std::ranges::any_of(std::array{"stdout", "stderr"}, [&](const char* name) {
    const auto stream = objects.attribute(*protocol, name);
    const auto waiter = stream ? objects.attribute(*stream, "_waiter") : std::nullopt;
    return waiter && kind_of(*waiter, readers) != Kind::none;
  });
}

std::string_view shape_of(Kind kind) {
  if (kind == Kind::method || kind == Kind::function || kind == Kind::partial) return "callback";
  if (kind == Kind::task) return "task";
  return kind == Kind::future ? "future" : "";
}

}  // namespace

void add_task(std::uint64_t task, const Readers& readers, PatternEvidence& evidence) {
  const auto view = readers.awaits.task(task);
  if (!view || view->state != TaskState::pending) return;
  evidence.looked_at++;
  evidence.swallowed += swallowed(*view, readers) ? 1 : 0;
  add_waiters(task, readers, evidence);
}

PatternEvidence evidence_of(const Group& group, const Readers& readers) {
  PatternEvidence evidence;
  for (const auto address : group.examples) {
    evidence.looked_at++;
    if (group.kind == "timer") {
      const auto callback = readers.objects.attribute(address, "_callback");
      if (callback) evidence.own_uses = CodeUses(&readers).of_callback(*callback);
    } else if (group.kind == "asyncgen") {
      // One that awaits is being asked for its next item.
      evidence.awaited += readers.coroutines.awaited(address) != 0 ? 1 : 0;
    } else if (group.kind == "transport") {
      const Type* type = readers.objects.type_of(address);
      const bool process = type != nullptr && type->qualname.find("SubprocessTransport") != std::string::npos;
      if (process) evidence.item = "subprocess";
      evidence.awaited += process && is_waited_for(address, readers) ? 1 : 0;
    }
  }
  return evidence;
}

PatternEvidence evidence_of_container(std::uint64_t container, std::uint64_t queue, const Readers& readers) {
  PatternEvidence evidence;
  if (const auto view = queue != 0 ? Transports(&readers).queue(queue) : std::nullopt) {
    evidence.maxsize = view->maxsize;
    evidence.getters = view->getters;
  }
  constexpr std::uint64_t most_items = 32;
  std::map<std::string_view, std::uint64_t> shapes;
  const auto look = [&](std::uint64_t item) {
    shapes[shape_of(kind_of(item, readers))]++;
    return ++evidence.looked_at < most_items;
  };
  if (kind_of(container, readers) == Kind::dict) {
    readers.objects.each_entry(container, [&](std::uint64_t, std::uint64_t value) { return look(value); });
  } else {
    readers.objects.each_item(container, look);
  }
  for (const auto& [shape, count] : shapes) {
    if (count * 2 > evidence.looked_at) evidence.item = shape;
  }
  return evidence;
}

}  // namespace asyncleak::census
