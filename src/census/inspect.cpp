#include "census/inspect.h"

#include "census/grouping.h"
#include "census/holders.h"
#include "census/task_detail.h"

#include <fmt/format.h>
#include <fnmatch.h>
#include <algorithm>
#include <map>
#include <tuple>

namespace asyncleak::census {
namespace {

// Holders are looked for in one search over memory for all that is listed; beyond this many, for the first ones.
constexpr std::size_t most_holder_targets = 256;
constexpr std::size_t most_holders_shown = 5;

// Task-N counts up (Lib/asyncio/tasks.py): with no other age, the older one. 0: called otherwise.
std::uint64_t number_in(const std::string& name) {
  constexpr std::string_view prefix = "Task-";
  if (!name.starts_with(prefix)) return 0;
  std::uint64_t number = 0;
  for (const char digit : std::string_view(name).substr(prefix.size())) {
    if (digit < '0' || digit > '9') return 0;
    number = number * 10 + static_cast<std::uint64_t>(digit - '0');
  }
  return number;
}

// Which tasks are listed when there are more than asked for: some of every kind, oldest first.
class Choice {
 public:
  explicit Choice(const Readers& readers) : readers_(readers) {}

  void add(const TaskRecord& task) {
    const auto code = task.coroutine != 0 ? readers_.coroutines.code(task.coroutine) : 0;
    auto& group = groups_[{code, task.state, task.cancel_requested}];
    const auto view = readers_.awaits.task(task.address);
    const auto number = !view ? 0 : view->name != 0 ? number_in(readers_.awaits.task_name(*view)) : view->name_number;
    group.push_back({number, task.address});
    count_++;
  }

  [[nodiscard]] std::uint64_t count() const { return count_; }

  // LIMIT 0: all.
  [[nodiscard]] std::vector<std::uint64_t> take(std::size_t limit) {
    if (limit == 0) limit = count_;
    for (auto& [key, group] : groups_) std::ranges::sort(group);
    std::vector<std::pair<std::uint64_t, std::uint64_t>> chosen;
    for (std::size_t rank = 0; chosen.size() < limit; rank++) {
      const auto before = chosen.size();
      for (const auto& [key, group] : groups_) {
        if (rank < group.size() && chosen.size() < limit) chosen.push_back(group[rank]);
      }
      if (chosen.size() == before) break;
    }
    std::ranges::sort(chosen);
    std::vector<std::uint64_t> addresses;
    addresses.reserve(chosen.size());
    for (const auto& [number, address] : chosen) addresses.push_back(address);
    return addresses;
  }

 private:
  const Readers& readers_;
  using Key = std::tuple<std::uint64_t, TaskState, bool>;
  std::map<Key, std::vector<std::pair<std::uint64_t, std::uint64_t>>> groups_;  // (number, address)
  std::uint64_t count_ = 0;
};

class Inspector {
 public:
  Inspector(const Heap& heap, Readers& readers, const Snapshot& snapshot, const InspectRequest& request)
      : heap_(heap), readers_(readers), snapshot_(snapshot), request_(request), loops_(view_loops(snapshot, readers)) {}

  [[nodiscard]] Inspection run(const KnownOfTask& known) {
    out_.tasks_total = snapshot_.tasks.size();
    add_tasks(known);
    add_groups(out_.coroutines, group_generators("coroutine", snapshot_.unstarted, readers_));
    add_groups(out_.asyncgens, group_generators("asyncgen", snapshot_.asyncgens, readers_));
    add_groups(out_.timers, group_timers(loops_));
    for (const auto& [text, callback] : loops_.ready) {
      out_.ready.push_back({text.name, text.file, text.line, callback.count, callback.cancelled, {}, {}});
    }
    add_transports();
    out_.process.loops = loops_.loops;
    out_.process.asyncgens = snapshot_.asyncgens.size();
    add_holders();
    return std::move(out_);
  }

 private:
  void add_tasks(const KnownOfTask& known) {
    Choice choice(readers_);
    for (const auto& task : snapshot_.tasks) {
      if (matches(task, readers_, request_)) choice.add(task);
    }
    const TaskDetail detail(&readers_, &request_);
    for (const auto address : choice.take(request_.limit)) {
      auto task = detail.read(address);
      if (!task) continue;
      known(*task);
      const auto index = out_.tasks.size();
      want_holders(
          address, [ this, index ]() -> auto& { return out_.tasks[index].holders; });
      out_.tasks.push_back(std::move(*task));
    }
    out_.tasks_left_out = choice.count() - std::min<std::uint64_t>(choice.count(), out_.tasks.size());
  }

  void add_groups(std::vector<InspectedGroup>& to, const std::vector<Group>& groups) {
    for (const auto& group : groups) {
      InspectedGroup shown{group.text.name, group.text.file, group.text.line, group.count, group.cancelled, {}, {}};
      if (&to == &out_.asyncgens) shown.waiting_at = readers_.awaits.chain(group.examples.front()).frames;
      const auto index = to.size();
      for (const auto example : group.examples) {
        want_holders(
            example, [&to, index ]() -> auto& { return to[index].holders; });
      }
      to.push_back(std::move(shown));
    }
  }

  void add_transports() {
    const Transports reader(&readers_);
    using Key = std::tuple<std::string, std::string, std::string, std::string>;
    std::map<Key, InspectedTransport> alike;
    for (const auto address : snapshot_.transports) {
      const auto view = reader.transport(address);
      if (!view) continue;
      auto& shown = alike[{view->protocol.name, view->type, view->peer, view->sock}];
      const auto before = shown.write_buffer_bytes.value_or(0);
      const auto count = shown.count + 1;
      shown = {view->type, view->protocol.name, view->peer, view->sock, count, shown.write_buffer_bytes};
      if (view->write_buffer_bytes) shown.write_buffer_bytes = before + *view->write_buffer_bytes;
    }
    for (auto& [key, shown] : alike) out_.transports.push_back(std::move(shown));
    for (const auto address : snapshot_.queues) {
      const auto view = reader.queue(address);
      if (!view) continue;
      const auto index = out_.queues.size();
      want_holders(
          address, [ this, index ]() -> auto& { return out_.queues[index].holders; });
      out_.queues.push_back({view->type, view->length, view->getters, view->putters, view->maxsize, {}});
    }
    std::map<std::string, std::uint64_t> waits;
    for (const auto address : snapshot_.syncs) {
      if (const auto view = reader.wait(address)) waits[view->type] += view->waiters;
    }
    for (const auto& [type, waiters] : waits) out_.waits.push_back({type, waiters});
  }

  // The list that is to get the texts: found only when they are known, since the lists still grow.
  using HolderList = std::function<std::vector<std::string>&()>;
  void want_holders(std::uint64_t address, HolderList list) {
    if (wanted_.size() < most_holder_targets) wanted_.emplace_back(address, std::move(list));
  }

  void add_holders() {
    std::vector<std::uint64_t> targets;
    for (const auto& [address, list] : wanted_) targets.push_back(address);
    const auto found = Holders(&heap_, &readers_).of(targets);
    if (!found) return;
    for (const auto& [address, list] : wanted_) {
      auto& to = list();
      for (const auto& text : found->at(address)) {
        if (to.size() < most_holders_shown && std::ranges::find(to, text) == to.end()) to.push_back(text);
      }
    }
  }

  const Heap& heap_;
  Readers& readers_;
  const Snapshot& snapshot_;
  const InspectRequest& request_;
  LoopView loops_;
  Inspection out_;
  std::vector<std::pair<std::uint64_t, HolderList>> wanted_;
};

}  // namespace

bool matches(const TaskRecord& task, const Readers& readers, const InspectRequest& request) {
  if (!request.coroutine_glob.empty()) {
    const auto name = task.coroutine != 0 ? readers.coroutines.qualname(task.coroutine) : "";
    if (fnmatch(request.coroutine_glob.c_str(), name.c_str(), 0) != 0) return false;
  }
  if (request.task.empty() || request.task == fmt::format("{:#x}", task.address)) return true;
  const auto view = readers.awaits.task(task.address);
  return view && readers.awaits.task_name(*view) == request.task;
}

Inspection inspect(const Heap& heap, Readers& readers, const Snapshot& snapshot, const InspectRequest& request,
                   const KnownOfTask& known) {
  return Inspector(heap, readers, snapshot, request).run(known);
}

}  // namespace asyncleak::census
