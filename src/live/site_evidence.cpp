#include "live/site_evidence.h"

#include "census/circles.h"
#include "census/code_uses.h"
#include "census/task_detail.h"
#include "census/transports.h"

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <set>
#include <string_view>

namespace asyncleak::live {
namespace {

using census::Kind;
using census::Waiter;

// With fewer objects nothing accumulates yet.
constexpr std::uint64_t fewest_objects = 5;
// Of subprocesses a few are many.
constexpr std::uint64_t fewest_transports = 3;

Kind kind_of(std::uint64_t object, const census::Readers& readers) {
  const auto* type = object != 0 ? readers.objects.type_of(object) : nullptr;
  return type != nullptr ? type->kind : Kind::other;
}

// The code object at ADDRESS if it still is that of FRAME.
std::uint64_t still(std::uint64_t address, const Frame& frame, const census::Readers& readers) {
  const auto* text = kind_of(address, readers) == Kind::code ? readers.coroutines.text_of_code(address) : nullptr;
  return text != nullptr && text->qualname == frame.function && text->file == frame.file ? address : 0;
}

// Whether the coroutine, or one it waits in, stands in an except or finally clause of its own.
bool handles_exception(std::uint64_t coroutine, const census::Readers& readers) {
  const auto& heap = readers.objects.heap();
  return std::ranges::any_of(census::generators_of(coroutine, readers), [&](std::uint64_t each) {
    const auto exception = heap.word(each + heap.objects.gen_exception);
    return exception != 0 && kind_of(exception, readers) != Kind::none;
  });
}

// A cancellation that reached it, did not end it, and is not passed on to a task it waits for.
bool swallowed(const census::TaskView& task, const census::Readers& readers) {
  if (!task.cancel_requested || readers.objects.heap().objects.gen_exception == AL_ABSENT) return false;
  const auto chain = readers.awaits.chain(task.coroutine);
  if (chain.cut || chain.awaitable == 0) return false;
  const auto behind = readers.awaits.task(chain.awaitable);
  return !(behind && behind->cancel_requested) && !handles_exception(task.coroutine, readers);
}

void add_waiters(std::uint64_t task, const census::Readers& readers, PatternEvidence& evidence) {
  const auto waiters = readers.awaits.waiters(task);
  bool awaited = !waiters.complete;  // unknown is not "by nobody"
  bool gather_over = false, as_completed = false;
  for (const auto& waiter : waiters.known) {
    awaited |= waiter.task != 0;
    gather_over |= waiter.over;
    as_completed |= waiter.how == Waiter::How::as_completed && waiter.task == 0;
  }
  evidence.awaited += awaited ? 1 : 0;
  evidence.left_by_gather += !awaited && gather_over ? 1 : 0;
  evidence.left_by_as_completed += !awaited && as_completed ? 1 : 0;
}

// asyncio.subprocess.Process: somebody in wait(), or reading its output (communicate() does both).
bool is_waited_for(std::uint64_t transport, const census::Readers& readers) {
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

std::optional<PatternEvidence> SiteEvidence::of_tasks(const TasksSeen& seen, const probe::SiteCode& code,
                                                      ProcessReader& reader) {
  if (seen.count < fewest_objects && seen.in_circle == 0) return std::nullopt;
  const auto& readers = reader.readers();
  const auto [uses, fresh] = creator_uses_.try_emplace(seen.identity->id);
  if (fresh) {
    const census::CodeUses reading(&readers);
    const auto& frames = seen.identity->created_at;
    for (std::size_t i = 0; i < frames.size() && i < code.created_at.size(); i++) {
      const auto address = still(code.created_at[i], frames[i], readers);
      uses->second.push_back(address != 0 ? reading.of_code(address) : std::vector<std::string>{});
    }
  }
  PatternEvidence evidence;
  evidence.creator_uses = uses->second;
  evidence.in_circle = seen.in_circle;
  evidence.creators = seen.creators;
  for (const auto address : seen.some_pending) {
    const auto task = readers.awaits.task(address);
    if (!task || task->state != census::TaskState::pending) continue;
    evidence.looked_at++;
    evidence.swallowed += swallowed(*task, readers) ? 1 : 0;
    add_waiters(address, readers, evidence);
  }
  return evidence;
}

std::optional<PatternEvidence> SiteEvidence::of_group(const census::Group& group, ProcessReader& reader) {
  const auto& readers = reader.readers();
  const bool transports = group.kind == "transport";
  if (group.count < (transports ? fewest_transports : fewest_objects) || group.examples.empty()) return std::nullopt;
  PatternEvidence evidence;
  for (const auto address : group.examples) {
    evidence.looked_at++;
    if (group.kind == "timer") {
      const auto callback = readers.objects.attribute(address, "_callback");
      if (callback) evidence.own_uses = census::CodeUses(&readers).of_callback(*callback);
    } else if (group.kind == "asyncgen") {
      // One that awaits is being asked for its next item.
      evidence.awaited += readers.coroutines.awaited(address) != 0 ? 1 : 0;
    } else if (transports) {
      const auto* type = readers.objects.type_of(address);
      const bool process = type != nullptr && type->qualname.find("SubprocessTransport") != std::string::npos;
      if (process) evidence.item = "subprocess";
      evidence.awaited += process && is_waited_for(address, readers) ? 1 : 0;
    }
  }
  return evidence;
}

PatternEvidence SiteEvidence::of_container(const NamedContainer& container, ProcessReader& reader) {
  const auto& readers = reader.readers();
  PatternEvidence evidence;
  if (container.queue != 0) {
    evidence.container = "queue";
    if (const auto queue = census::Transports(&readers).queue(container.queue)) {
      evidence.maxsize = queue->maxsize;
      evidence.getters = queue->getters;
    }
  } else if (const auto* type = readers.objects.type_of(container.address)) {
    evidence.container = type->name();
  }
  constexpr std::uint64_t most_items = 32;
  std::map<std::string_view, std::uint64_t> shapes;
  const auto look = [&](std::uint64_t item) {
    shapes[shape_of(kind_of(item, readers))]++;
    return ++evidence.looked_at < most_items;
  };
  if (kind_of(container.address, readers) == Kind::dict) {
    readers.objects.each_entry(container.address, [&](std::uint64_t, std::uint64_t value) { return look(value); });
  } else {
    readers.objects.each_item(container.address, look);
  }
  for (const auto& [shape, count] : shapes) {
    if (count * 2 > evidence.looked_at) evidence.item = shape;
  }
  return evidence;
}

void SiteEvidence::look_for_circles(const census::Snapshot& snapshot, ProcessReader& reader) {
  auto now = census::find_circles(snapshot, reader.readers());
  in_circles_.clear();
  for (const auto task : now) {
    if (suspects_.contains(task)) in_circles_.insert(task);
  }
  suspects_ = std::move(now);
}

std::string SiteEvidence::deadlock(ProcessReader& reader) const {
  if (in_circles_.empty()) return {};
  std::set<std::string> names;
  for (const auto address : in_circles_) {
    const auto task = reader.readers().awaits.task(address);
    if (task) names.insert(reader.readers().coroutines.qualname(task->coroutine));
  }
  constexpr std::size_t most_names = 4;
  std::string text = fmt::format("{} tasks wait only for each other: ", in_circles_.size());
  std::size_t shown = 0;
  for (const auto& name : names) {
    if (shown == most_names) return text + ", ...";
    text += fmt::format("{}`{}`", shown++ == 0 ? "" : ", ", name);
  }
  return text;
}

}  // namespace asyncleak::live
