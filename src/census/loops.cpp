#include "census/loops.h"

namespace asyncleak::census {
namespace {

constexpr const char* in_c = "this loop keeps it in C, where its place is not known";

class LoopReader {
 public:
  LoopReader(const Readers& readers, LoopView& view)
      : objects_(readers.objects), callables_(&readers.objects, &readers.coroutines), view_(view) {}

  void add(std::uint64_t loop) {
    const Type* type = objects_.type_of(loop);
    if (type == nullptr || type->kind != Kind::loop) return;
    LoopSample sample;
    sample.kind = type->name();
    const auto ready = attribute(loop, "_ready");
    if (!ready) {
      sample.unknown = in_c;
      view_.loops.push_back(std::move(sample));
      return;
    }
    if (is_true(attribute(loop, "_closed"))) return;
    sample.ready = objects_.length(*ready);
    sample.running = is_set(attribute(loop, "_thread_id"));
    if (const auto scheduled = attribute(loop, "_scheduled")) add_timers(*scheduled, sample);
    sample.transports = length_of_data(attribute(loop, "_transports"));
    sample.asyncgens = length_of_data(attribute(loop, "_asyncgens"));
    sample.executor_queue = executor_queue(attribute(loop, "_default_executor"));
    objects_.each_item(*ready, [&](std::uint64_t handle) {
      add_handle(handle, view_.ready);
      return true;
    });
    view_.loops.push_back(std::move(sample));
  }

  // uvloop's timers are in no list of the loop's: the objects themselves are counted.
  void add_foreign_timer(std::uint64_t handle) { add_handle(handle, view_.timers); }

  [[nodiscard]] bool in_a_list(std::uint64_t handle) const { return attribute(handle, "_when").has_value(); }

 private:
  using Address = std::optional<std::uint64_t>;

  [[nodiscard]] Address attribute(std::uint64_t object, std::string_view name) const {
    return objects_.attribute(object, name);
  }
  [[nodiscard]] bool is_true(Address object) const { return object && objects_.integer(*object).value_or(0) != 0; }
  [[nodiscard]] std::optional<bool> is_set(Address object) const {
    const Type* type = object ? objects_.type_of(*object) : nullptr;
    return type != nullptr ? std::optional(type->kind != Kind::none) : std::nullopt;
  }

  // WeakSet and WeakValueDictionary keep theirs in `data` (Lib/_weakrefset.py, Lib/weakref.py).
  [[nodiscard]] std::optional<std::uint64_t> length_of_data(Address weak) const {
    const auto data = weak ? attribute(*weak, "data") : std::nullopt;
    return data ? objects_.length(*data) : std::nullopt;
  }

  [[nodiscard]] std::optional<std::uint64_t> executor_queue(Address executor) const {
    const Type* type = executor ? objects_.type_of(*executor) : nullptr;
    if (type == nullptr) return std::nullopt;
    if (type->kind == Kind::none) return 0;  // no executor was ever needed
    const auto queue = attribute(*executor, "_work_queue");
    return queue ? objects_.length(*queue) : std::nullopt;
  }

  void add_timers(std::uint64_t scheduled, LoopSample& sample) {
    std::uint64_t timers = 0, cancelled = 0;
    objects_.each_item(scheduled, [&](std::uint64_t handle) {
      (add_handle(handle, view_.timers) ? cancelled : timers)++;
      return true;
    });
    sample.timers = timers;
    sample.timers_cancelled = cancelled;
  }

  // Returns whether it is cancelled.
  bool add_handle(std::uint64_t handle, std::map<CallableText, Callback>& callbacks) const {
    const auto callback = attribute(handle, "_callback");
    const bool cancelled = is_true(attribute(handle, "_cancelled"));
    if (!callback) return cancelled;  // made or run while we look
    // A cancelled handle has let go of its callback (Lib/asyncio/events.py Handle.cancel).
    const auto text = cancelled ? CallableText{"cancelled", "", {}} : callables_.describe(*callback);
    auto& entry = callbacks[text];
    entry.count++;
    entry.cancelled += cancelled ? 1 : 0;
    entry.example = handle;
    return cancelled;
  }

  const Objects& objects_;
  Callables callables_;
  LoopView& view_;
};

}  // namespace

LoopView view_loops(const Snapshot& snapshot, const Readers& readers) {
  LoopView view;
  LoopReader reader(readers, view);
  for (const auto loop : snapshot.loops) reader.add(loop);
  for (const auto timer : snapshot.timer_handles) {
    if (!reader.in_a_list(timer)) reader.add_foreign_timer(timer);
  }
  return view;
}

}  // namespace asyncleak::census
