#include "census/awaits.h"

#include "census/waiters.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>

namespace asyncleak::census {
namespace {

// The bytes of one object, read in one go, so that its fields belong together.
class ObjectBytes {
 public:
  // False: unreadable.
  bool read(const Heap& heap, std::uint64_t address, std::size_t size) {
    size_ = std::min(size, bytes_.size());
    return heap.memory->read(address, std::span(bytes_.data(), size_)).has_value();
  }
  template <class T>
  [[nodiscard]] T field(std::uint16_t offset) const {
    T value{};
    if (offset != AL_ABSENT && offset + sizeof value <= size_)
      std::memcpy(&value, bytes_.data() + offset, sizeof value);
    return value;
  }

 private:
  std::array<std::byte, 512> bytes_{};  // of a TaskObj: less than 200
  std::size_t size_ = 0;
};

// Modules/_asynciomodule.c fut_state, equal from 3.8 to 3.15.
TaskState task_state(std::int32_t word, bool failed) {
  switch (word) {
    case 0:
      return TaskState::pending;
    case 1:
      return TaskState::cancelled;
    case 2:
      return failed ? TaskState::failed : TaskState::finished;
    default:
      return TaskState::unknown;
  }
}

bool cancel_due(const ObjectBytes& task, const python::ObjectLayout& where) {
  if ((where.flags & python::obj_must_cancel_bit) == 0) return task.field<std::int32_t>(where.task_must_cancel) != 0;
  return (task.field<std::uint8_t>(where.task_must_cancel) & where.must_cancel_mask) != 0;
}

// An object that stands between an await and what it waits for; 0: none of those, or finished.
std::uint64_t behind(const Heap& heap, std::uint64_t object, const Type& type) {
  const auto& where = heap.objects;
  if (type.kind == Kind::coroutine_wrapper) return heap.word(object + where.coroutine_wrapper_coroutine);
  if (type.kind != Kind::async_generator_step) return 0;
  const bool throws = type.qualname == "async_generator_athrow";
  return heap.word(object + (throws ? where.athrow_generator : where.asend_generator));
}

}  // namespace

std::string_view name_of(TaskState state) {
  switch (state) {
    case TaskState::pending:
      return "pending";
    case TaskState::finished:
      return "finished";
    case TaskState::failed:
      return "failed";
    case TaskState::cancelled:
      return "cancelled";
    case TaskState::unknown:
      break;
  }
  return "unknown";
}

std::string_view name_of(Waiter::How how) {
  switch (how) {
    case Waiter::How::task:
      return "task";
    case Waiter::How::gather:
      return "gather";
    case Waiter::How::shield:
      return "shield";
    case Waiter::How::wait:
    case Waiter::How::as_completed:
      return "wait";
    case Waiter::How::task_group:
      return "task-group";
    case Waiter::How::callback:
      break;
  }
  return "callback";
}

std::optional<TaskView> Awaits::task(std::uint64_t address) const {
  const Heap& heap = objects_->heap();
  const auto& where = heap.objects;
  const Type* type = objects_->type_of(address);
  if (type == nullptr || type->kind != Kind::task) return std::nullopt;
  ObjectBytes bytes;
  if (!bytes.read(heap, address, where.task_basicsize)) return std::nullopt;
  TaskView view;
  view.exception = bytes.field<std::uint64_t>(where.future_exception);
  view.result = bytes.field<std::uint64_t>(where.future_result);
  view.state = task_state(bytes.field<std::int32_t>(where.future_state), view.exception != 0);
  view.cancel_requested = view.state == TaskState::pending &&
                          (cancel_due(bytes, where) || bytes.field<std::int32_t>(where.task_num_cancels) > 0);
  view.coroutine = bytes.field<std::uint64_t>(where.task_coro);
  const auto name = bytes.field<std::uint64_t>(where.task_name);
  const Type* name_type = name == 0 ? nullptr : objects_->type_of(name);
  if (name_type != nullptr && name_type->kind == Kind::integer) {
    view.name_number = static_cast<std::uint64_t>(objects_->integer(name).value_or(0));
  } else {
    view.name = name;
  }
  return view;
}

std::string Awaits::task_name(const TaskView& task) const {
  if (task.name != 0) return objects_->text(task.name).value_or("?");
  return task.name_number != 0 ? "Task-" + std::to_string(task.name_number) : "?";
}

AwaitChain Awaits::chain(std::uint64_t coroutine) const {
  constexpr std::size_t most_links = 1024;  // of recursion: the default limit of a program
  const Heap& heap = objects_->heap();
  AwaitChain out;
  std::vector<std::uint64_t> seen;
  for (std::uint64_t at = coroutine; at != 0;) {
    const Type* type = objects_->type_of(at);
    if (type == nullptr || seen.size() >= most_links || std::find(seen.begin(), seen.end(), at) != seen.end()) {
      out.cut = true;
      break;
    }
    seen.push_back(at);
    if (type->kind == Kind::coroutine || type->kind == Kind::generator || type->kind == Kind::async_generator) {
      auto frame = coroutines_->where(at);
      out.cut = out.cut || !frame;
      out.frames.push_back(frame ? std::move(*frame) : Frame{"?", "", std::nullopt});
      const bool waits = type->kind == Kind::coroutine && coroutines_->state(at) == GeneratorState::suspended;
      at = coroutines_->awaited(at);
      out.cut = out.cut || (waits && at == 0);
      continue;
    }
    if (type->kind == Kind::future_iterator) {
      at = heap.word(at + heap.objects.future_iter_future);
      type = at == 0 ? nullptr : objects_->type_of(at);
    } else if (const std::uint64_t next = behind(heap, at, *type); next != 0) {
      at = next;
      continue;
    }
    out.awaitable = at;
    if (type != nullptr) out.awaitable_type = type->name();
    break;
  }
  std::reverse(out.frames.begin(), out.frames.end());
  return out;
}

Awaits::Waiters Awaits::waiters(std::uint64_t future) const {
  return WaiterSearch(objects_, coroutines_).waiters(future);
}

}  // namespace asyncleak::census
