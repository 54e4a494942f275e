#include "elf/task_functions.h"

#include "elf/symbols.h"

#include <fmt/format.h>
#include <optional>
#include <utility>

namespace asyncleak::elf {
namespace {

constexpr std::string_view task_type_name = "_asyncio.Task";
// Below: not even a PyObject. Above: no build comes near (TaskObj is 152 to 312 bytes).
constexpr std::uint64_t smallest_task = 16;
constexpr std::uint64_t largest_task = 4096;

struct TypeSlots {
  std::uint64_t init, dealloc;
  std::uint32_t basicsize;
  std::string detail;
};

bool plausible_size(std::uint64_t basicsize) { return smallest_task <= basicsize && basicsize < largest_task; }

std::optional<std::uint64_t> code_pointer(const Image& image, std::uint64_t slot) {
  const auto value = image.pointer(slot);
  if (!value || !image.is_executable(*value)) return std::nullopt;
  return value;
}

// PyType_Spec of Include/object.h, 3.12 and later for _asyncio.Task:
// {const char *name; int basicsize; int itemsize; unsigned int flags; PyType_Slot *slots}.
// A PyType_Slot is {int id; void *value}; 3.15's PySlot keeps the size but has the id in the low
// 16 bits and flags above.
std::optional<TypeSlots> read_spec(const Image& image, std::uint64_t spec) {
  constexpr std::uint32_t id_dealloc = 52;  // Include/typeslots.h
  constexpr std::uint32_t id_init = 60;
  constexpr std::uint32_t id_limit = 120;
  constexpr std::uint64_t most_slots = 128;
  const auto basicsize = image.u32(spec + 8);
  const auto slots = image.pointer(spec + 24);
  if (!basicsize || !plausible_size(*basicsize) || !slots) return std::nullopt;
  std::optional<std::uint64_t> init;
  std::optional<std::uint64_t> dealloc;
  for (std::uint64_t i = 0; i < most_slots; ++i) {
    const std::uint64_t entry = *slots + 16 * i;
    const auto word = image.u32(entry);
    if (!word || (*word & 0xffff) >= id_limit) return std::nullopt;
    const std::uint32_t id = *word & 0xffff;
    if (id == id_init) init = code_pointer(image, entry + 8);
    if (id == id_dealloc) dealloc = code_pointer(image, entry + 8);
    if (id != 0) continue;
    if (!init || !dealloc) return std::nullopt;
    return TypeSlots{*init, *dealloc, *basicsize, fmt::format("PyType_Spec at {:#x}", spec)};
  }
  return std::nullopt;
}

// A static PyTypeObject (3.11 and earlier for _asyncio.Task). All offsets count from tp_name, so
// the longer object header of debug (Py_TRACE_REFS) and free-threaded builds makes no difference.
std::optional<TypeSlots> read_static_type(const Image& image, std::uint64_t tp_name) {
  constexpr std::uint64_t tp_basicsize = 8;
  constexpr std::uint64_t tp_dealloc = 24;
  constexpr std::uint64_t tp_traverse = 160;
  constexpr std::uint64_t tp_init = 272;
  const auto basicsize = image.u64(tp_name + tp_basicsize);
  if (!basicsize || !plausible_size(*basicsize)) return std::nullopt;
  const auto dealloc = code_pointer(image, tp_name + tp_dealloc);
  const auto init = code_pointer(image, tp_name + tp_init);
  if (!dealloc || !init || !code_pointer(image, tp_name + tp_traverse)) return std::nullopt;
  return TypeSlots{*init, *dealloc, static_cast<std::uint32_t>(*basicsize),
                   fmt::format("static type, tp_name at {:#x}", tp_name)};
}

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
  std::optional<TypeSlots> found;
  bool has_name = false;
  for (const std::uint64_t text : image.find_string(task_type_name)) {
    has_name = true;
    for (const std::uint64_t slot : image.slots_holding(text)) {
      auto candidate = read_spec(image, slot);
      if (!candidate) candidate = read_static_type(image, slot);
      if (!candidate) continue;
      if (found && (found->init != candidate->init || found->dealloc != candidate->dealloc)) {
        return fail(fmt::format("two different _asyncio.Task types: {} and {}", found->detail, candidate->detail));
      }
      found = std::move(candidate);
    }
  }
  if (!found) {
    return fail(has_name ? "the text \"_asyncio.Task\" is there but no type object or PyType_Spec uses it"
                         : "no _asyncio.Task type in this file");
  }
  return TaskFunctions{found->init, found->dealloc, found->basicsize, Rung::type_slots, found->detail};
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
