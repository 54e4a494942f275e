#include "elf/task_functions.h"

#include "elf/symbols.h"
#include "elf/type_slots.h"

#include <fmt/format.h>
#include <optional>

namespace asyncleak::elf {
namespace {

constexpr std::string_view task_type_name = "_asyncio.Task";

Rung rung_of(SymbolSource source) {
  switch (source) {
    case SymbolSource::symtab:
      return Rung::symtab;
    case SymbolSource::debug_file:
      return Rung::debug_file;
    case SymbolSource::mini_debug_info:
      return Rung::mini_debug_info;
  }
  return Rung::type_slots;
}

std::optional<TaskFunctions> by_symbols(const Image& image, const std::string& path, const std::string& root) {
  const auto table = load_symbols(image, path, root);
  if (!table) return std::nullopt;
  // Modules/_asynciomodule.c, 3.8 to 3.15: tp_init is Argument Clinic's wrapper.
  const auto init = table->find("_asyncio_Task___init__");
  const auto dealloc = table->find("TaskObj_dealloc");
  if (!init || !dealloc || !image.is_executable(*init) || !image.is_executable(*dealloc)) return std::nullopt;
  return TaskFunctions{*init, *dealloc, 0, rung_of(table->source), table->path};
}

}  // namespace

std::string_view name_of(Rung rung) {
  switch (rung) {
    case Rung::symtab:
      return ".symtab";
    case Rung::debug_file:
      return "debug file";
    case Rung::mini_debug_info:
      return ".gnu_debugdata";
    case Rung::type_slots:
      return "type slots";
  }
  return "?";
}

bool has_task_type(const Image& image) { return !image.find_string(task_type_name).empty(); }

Result<TaskFunctions> resolve_type_slots(const Image& image) {
  const auto type = find_type(image, task_type_name);
  if (!type) return fail(type.error());
  return TaskFunctions{type->init, type->dealloc, type->basicsize, Rung::type_slots, type->detail};
}

Result<TaskFunctions> find_task_functions(const Image& image, const std::string& path, const std::string& root) {
  auto named = by_symbols(image, path, root);
  auto slots = resolve_type_slots(image);
  if (!named) return slots;
  if (!slots) return *named;
  if (named->task_init != slots->task_init || named->task_dealloc != slots->task_dealloc) {
    // What the type holds is what the interpreter calls.
    slots->detail += fmt::format("; {} of {} disagrees", name_of(named->rung), named->detail);
    return slots;
  }
  named->task_basicsize = slots->task_basicsize;
  return *named;
}

}  // namespace asyncleak::elf
