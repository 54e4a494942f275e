#include "census/callables.h"

#include <array>

namespace asyncleak::census {
namespace {

// PyMethodDef.ml_name: the first field (Include/methodobject.h, equal from 3.8 to 3.15).
std::string method_name(const Heap& heap, std::uint64_t definition) {
  const auto name = heap.word(definition);
  std::array<char, 64> text{};
  if (name == 0 || !heap.memory->read(name, std::as_writable_bytes(std::span(text)))) return "?";
  text.back() = '\0';
  return text.data();
}

}  // namespace

CallableText Callables::of_code(std::uint64_t code) const {
  const CodeText* text = coroutines_->text_of_code(code);
  if (text == nullptr) return {"?", "", std::nullopt};
  return {text->qualname, text->file, text->first_line};
}

CallableText Callables::of_task(std::uint64_t task) const {
  const auto coroutine = objects_->heap().word(task + objects_->heap().objects.task_coro);
  if (coroutine == 0) return {"?", "", std::nullopt};
  auto text = of_code(coroutines_->code(coroutine));
  if (auto own = coroutines_->qualname(coroutine); !own.empty()) text.name = std::move(own);
  return text;
}

CallableText Callables::of_builtin(std::uint64_t builtin) const {
  const Heap& heap = objects_->heap();
  const auto self = heap.word(builtin + heap.objects.builtin_self);
  const auto name = method_name(heap, heap.word(builtin + heap.objects.builtin_def));
  const Type* owner = self != 0 ? objects_->type_of(self) : nullptr;
  if (owner == nullptr || owner->kind == Kind::module) return {name, "", std::nullopt};
  if (owner->kind == Kind::task && name == "task_wakeup") return of_task(self);
  return {owner->qualname + "." + name, "", std::nullopt};
}

CallableText Callables::describe(std::uint64_t callable) const {
  const Heap& heap = objects_->heap();
  constexpr int deepest = 8;  // partials of partials, methods of methods
  for (int depth = 0; depth < deepest && callable != 0; depth++) {
    const Type* type = objects_->type_of(callable);
    if (type == nullptr) break;
    switch (type->kind) {
      case Kind::function: {
        auto text = of_code(heap.word(callable + heap.objects.function_code));
        // Before 3.11 the code has only the bare name.
        if (auto own = objects_->text(heap.word(callable + heap.objects.function_qualname))) text.name = *own;
        return text;
      }
      case Kind::method:
        callable = heap.word(callable + heap.objects.method_function);
        continue;
      case Kind::partial:
        callable = heap.word(callable + heap.objects.partial_function);
        continue;
      case Kind::builtin:
        return of_builtin(callable);
      case Kind::task_wakeup:
        return of_task(heap.word(callable + heap.objects.step_task));
      case Kind::type:
        if (const Type* made = objects_->types().at(callable)) return describe_class(*made);
        break;
      default:
        return {type->qualname, "", std::nullopt};
    }
    break;
  }
  return {"?", "", std::nullopt};
}

CallableText Callables::describe_class(const Type& type) const {
  CallableText text{type.qualname, "", std::nullopt};
  if ((type.flags & type_heap) == 0) return text;
  const Heap& heap = objects_->heap();
  objects_->each_entry(heap.word(type.address + heap.objects.type_dict), [&](std::uint64_t, std::uint64_t value) {
    const Type* kind = objects_->type_of(value);
    if (kind == nullptr || kind->kind != Kind::function) return true;
    const auto method = of_code(heap.word(value + heap.objects.function_code));
    const auto own = objects_->text(heap.word(value + heap.objects.function_qualname));
    // Not one borrowed from elsewhere.
    if (!own || !own->starts_with(type.qualname + ".") || !method.line) return true;
    if (!text.line || *method.line < *text.line) {
      text.file = method.file;
      text.line = method.line;
    }
    return true;
  });
  return text;
}

}  // namespace asyncleak::census
