#include "elf/step_functions.h"

#include "elf/type_slots.h"

#include <fmt/format.h>
#include <array>
#include <optional>
#include <string_view>

namespace asyncleak::elf {
namespace {

// Both wrappers of Modules/_asynciomodule.c are nothing but pointers behind the object's head, the task first:
// TaskStepMethWrapper {sw_task, sw_arg}, TaskWakeupMethWrapper {ww_task}. So the size of the type tells the size
// of the head: 16 bytes; 32 with Py_TRACE_REFS or without the GIL.
constexpr std::uint32_t step_fields = 2;
constexpr std::uint32_t wakeup_fields = 1;

Result<StepFunction> place(const Image& image, std::uint64_t function, std::uint32_t task_offset) {
  constexpr std::array self = {Register::rdi};
  auto placement = place_probe(image, function, self);
  if (!placement) return fail(placement.error());
  return StepFunction{function, std::move(*placement), task_offset};
}

Result<StepFunction> call_of(const Image& image, const TypeSlots& wrapper, std::uint32_t fields) {
  const std::uint32_t head = wrapper.basicsize - fields * static_cast<std::uint32_t>(sizeof(std::uint64_t));
  if (head != 16 && head != 32) {
    return fail(fmt::format("{} has objects of {} bytes: where the task is in them is not known", wrapper.detail,
                            wrapper.basicsize));
  }
  return place(image, wrapper.call, head);
}

// <= 3.11 a static type without its module's name, 3.12+ a PyType_Spec with it.
Result<StepFunction> find_step(const Image& image) {
  auto wrapper = find_type(image, "TaskStepMethWrapper", &TypeSlots::call);
  if (!wrapper) wrapper = find_type(image, "_asyncio.TaskStepMethWrapper", &TypeSlots::call);
  if (!wrapper) return fail(wrapper.error());
  return call_of(image, *wrapper, step_fields);
}

// The PyMethodDef {const char *name; PyCFunction function; int flags; const char *doc} of 3.10+.
Result<StepFunction> find_wakeup_method(const Image& image) {
  constexpr std::string_view name = "task_wakeup";
  constexpr std::uint32_t meth_o = 0x0008;  // Include/methodobject.h
  std::optional<std::uint64_t> found;
  for (const std::uint64_t text : image.find_string(name)) {
    for (const std::uint64_t slot : image.slots_holding(text)) {
      const auto function = image.pointer(slot + 8);
      if (!function || !image.is_executable(*function) || image.u32(slot + 16) != meth_o) continue;
      if (found && *found != *function) return fail(fmt::format("two different methods {}", name));
      found = function;
    }
  }
  if (!found) return fail(fmt::format("no method {} and no TaskWakeupMethWrapper type in this file", name));
  return place(image, *found, 0);
}

}  // namespace

Result<StepFunctions> find_step_functions(const Image& image) {
  auto step = find_step(image);
  if (!step) return fail(step.error());
  const auto wrapper = find_type(image, "TaskWakeupMethWrapper", &TypeSlots::call);
  auto wakeup = wrapper ? call_of(image, *wrapper, wakeup_fields) : find_wakeup_method(image);
  if (!wakeup) return fail(wakeup.error());
  return StepFunctions{std::move(*step), std::move(*wakeup)};
}

}  // namespace asyncleak::elf
