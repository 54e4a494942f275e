#include "census/task_detail.h"

#include "census/show_value.h"

#include <algorithm>

namespace asyncleak::census {
namespace {

// A task whose locals reach more is shown as "at least".
constexpr std::uint64_t most_objects_of_a_task = 2'000'000;

}  // namespace

std::vector<std::uint64_t> generators_of(std::uint64_t coroutine, const Readers& readers) {
  constexpr std::size_t deepest = 64;
  std::vector<std::uint64_t> chain;
  while (coroutine != 0 && chain.size() < deepest && std::ranges::find(chain, coroutine) == chain.end()) {
    const Type* type = readers.objects.type_of(coroutine);
    if (type == nullptr) break;
    const auto& heap = readers.objects.heap();
    switch (type->kind) {
      case Kind::coroutine:
      case Kind::generator:
      case Kind::async_generator:
        chain.push_back(coroutine);
        coroutine = readers.coroutines.awaited(coroutine);
        continue;
      case Kind::async_generator_step:
        coroutine = heap.word(coroutine + heap.objects.asend_generator);
        continue;
      case Kind::coroutine_wrapper:
        coroutine = heap.word(coroutine + heap.objects.coroutine_wrapper_coroutine);
        continue;
      default:
        return chain;
    }
  }
  return chain;
}

DeepSize held_by(std::uint64_t task, const Readers& readers, DeepSizer& sizer) {
  DeepSize held;
  const auto view = readers.awaits.task(task);
  if (!view) return held;
  sizer.exclude(task);
  const auto add = [&](std::uint64_t object) {
    const auto size = sizer.of(object);
    held.bytes += size.bytes;
    held.objects += size.objects;
    held.cut |= size.cut;
  };
  const auto generators = generators_of(view->coroutine, readers);
  for (const auto generator : generators) sizer.exclude(generator);
  for (const auto generator : generators) {
    for (const auto& local : readers.coroutines.locals(generator)) add(local.object);
  }
  if (view->state != TaskState::pending) {
    if (view->result != 0) add(view->result);
    if (view->exception != 0) add(view->exception);
  }
  return held;
}

std::optional<InspectedTask> TaskDetail::read(std::uint64_t address) const {
  const auto view = readers_->awaits.task(address);
  if (!view) return std::nullopt;
  InspectedTask task;
  task.address = address;
  task.name = readers_->awaits.task_name(*view);
  task.state = name_of(view->state);
  task.cancel_requested = view->cancel_requested;
  if (view->coroutine != 0) {
    const auto code = readers_->coroutines.code(view->coroutine);
    task.coroutine = readers_->coroutines.qualname(view->coroutine);
    if (const CodeText* text = readers_->coroutines.text_of_code(code)) {
      task.file = text->file;
      task.line = text->first_line;
    }
    if (view->state == TaskState::pending) {
      auto chain = readers_->awaits.chain(view->coroutine);
      task.await_chain = std::move(chain.frames);
      task.chain_cut = chain.cut;
      task.waiting_for_type = std::move(chain.awaitable_type);
      task.waiting_for_address = chain.awaitable;
    }
  }
  add_waiters(task);
  add_locals(task, *view);
  return task;
}

void TaskDetail::add_waiters(InspectedTask& task) const {
  const auto waiters = readers_->awaits.waiters(task.address);
  task.waiters_complete = waiters.complete;
  for (const auto& waiter : waiters.known) {
    InspectedWaiter shown{std::string(name_of(waiter.how)), waiter.task, "", waiter.callback};
    const auto view = waiter.task != 0 ? readers_->awaits.task(waiter.task) : std::nullopt;
    if (view) shown.task = readers_->awaits.task_name(*view);
    task.awaited_by.push_back(std::move(shown));
  }
}

InspectedLocal TaskDetail::local(DeepSizer& sizer, std::uint64_t object) const {
  InspectedLocal shown;
  const Type* type = readers_->objects.type_of(object);
  shown.type = type != nullptr ? type->name() : "?";
  shown.length = readers_->objects.length(object);
  const auto size = sizer.of(object);
  shown.bytes = size.bytes;
  shown.at_least = size.cut;
  if (request_->values) shown.value = show_value(readers_->objects, object, {.redact = request_->redact});
  return shown;
}

void TaskDetail::add_locals(InspectedTask& task, const TaskView& view) const {
  DeepSizer sizer(&readers_->objects, most_objects_of_a_task);
  sizer.exclude(task.address);
  const auto generators = generators_of(view.coroutine, *readers_);
  for (const auto generator : generators) sizer.exclude(generator);
  std::uint64_t bytes = 0;
  for (const auto generator : generators) {
    const auto where = readers_->coroutines.where(generator);
    for (const auto& variable : readers_->coroutines.locals(generator)) {
      auto shown = local(sizer, variable.object);
      shown.name = variable.name;
      shown.frame = where ? where->function : "?";
      bytes += shown.bytes;
      task.held_at_least |= shown.at_least;
      task.locals.push_back(std::move(shown));
    }
  }
  std::ranges::stable_sort(task.locals, std::ranges::greater{}, &InspectedLocal::bytes);
  const auto outcome = view.exception != 0 ? view.exception : view.result;
  if (view.state != TaskState::pending && outcome != 0) {
    task.result = local(sizer, outcome);
    bytes += task.result->bytes;
    task.held_at_least |= task.result->at_least;
  }
  task.held_bytes = bytes;
}

}  // namespace asyncleak::census
