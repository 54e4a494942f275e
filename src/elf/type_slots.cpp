#include "elf/type_slots.h"

#include <fmt/format.h>
#include <optional>
#include <utility>

namespace asyncleak::elf {
namespace {

// Below: not even a PyObject. Above: no build comes near (TaskObj is 152 to 312 bytes).
constexpr std::uint64_t smallest_object = 16;
constexpr std::uint64_t largest_object = 4096;

bool plausible_size(std::uint64_t basicsize) { return smallest_object <= basicsize && basicsize < largest_object; }

std::optional<std::uint64_t> code_pointer(const Image& image, std::uint64_t slot) {
  const auto value = image.pointer(slot);
  if (!value || !image.is_executable(*value)) return std::nullopt;
  return value;
}

// PyType_Spec of Include/object.h, 3.12 and later for the types of _asyncio:
// {const char *name; int basicsize; int itemsize; unsigned int flags; PyType_Slot *slots}.
// A PyType_Slot is {int id; void *value}; 3.15's PySlot keeps the size but has the id in the low
// 16 bits and flags above.
std::optional<TypeSlots> read_spec(const Image& image, std::uint64_t spec) {
  constexpr std::uint32_t id_call = 50;  // Include/typeslots.h
  constexpr std::uint32_t id_dealloc = 52;
  constexpr std::uint32_t id_init = 60;
  constexpr std::uint32_t id_methods = 64;
  constexpr std::uint32_t id_getset = 73;
  constexpr std::uint32_t id_limit = 120;
  constexpr std::uint64_t most_slots = 128;
  const auto basicsize = image.u32(spec + 8);
  const auto slots = image.pointer(spec + 24);
  if (!basicsize || !plausible_size(*basicsize) || !slots) return std::nullopt;
  TypeSlots found{0, 0, 0, 0, 0, *basicsize, fmt::format("PyType_Spec at {:#x}", spec)};
  for (std::uint64_t i = 0; i < most_slots; ++i) {
    const std::uint64_t entry = *slots + 16 * i;
    const auto word = image.u32(entry);
    if (!word || (*word & 0xffff) >= id_limit) return std::nullopt;
    const std::uint32_t id = *word & 0xffff;
    if (id == id_init) found.init = code_pointer(image, entry + 8).value_or(0);
    if (id == id_dealloc) found.dealloc = code_pointer(image, entry + 8).value_or(0);
    if (id == id_call) found.call = code_pointer(image, entry + 8).value_or(0);
    if (id == id_methods) found.methods = image.pointer(entry + 8).value_or(0);
    if (id == id_getset) found.getset = image.pointer(entry + 8).value_or(0);
    if (id == 0) return found;
  }
  return std::nullopt;
}

// A static PyTypeObject (3.11 and earlier for the types of _asyncio). All offsets count from tp_name, so
// the longer object header of debug (Py_TRACE_REFS) and free-threaded builds makes no difference.
std::optional<TypeSlots> read_static_type(const Image& image, std::uint64_t tp_name) {
  constexpr std::uint64_t tp_basicsize = 8;
  constexpr std::uint64_t tp_dealloc = 24;
  constexpr std::uint64_t tp_call = 104;
  constexpr std::uint64_t tp_traverse = 160;
  constexpr std::uint64_t tp_methods = 208;
  constexpr std::uint64_t tp_getset = 224;
  constexpr std::uint64_t tp_init = 272;
  const auto basicsize = image.u64(tp_name + tp_basicsize);
  if (!basicsize || !plausible_size(*basicsize)) return std::nullopt;
  const auto dealloc = code_pointer(image, tp_name + tp_dealloc);
  if (!dealloc || !code_pointer(image, tp_name + tp_traverse)) return std::nullopt;
  return TypeSlots{
      code_pointer(image, tp_name + tp_init).value_or(0),   *dealloc,
      code_pointer(image, tp_name + tp_call).value_or(0),   image.pointer(tp_name + tp_methods).value_or(0),
      image.pointer(tp_name + tp_getset).value_or(0),       static_cast<std::uint32_t>(*basicsize),
      fmt::format("static type, tp_name at {:#x}", tp_name)};
}

}  // namespace

Result<TypeSlots> find_type(const Image& image, std::string_view name, std::uint64_t TypeSlots::*required) {
  std::optional<TypeSlots> found;
  bool has_name = false;
  for (const std::uint64_t text : image.find_string(name)) {
    has_name = true;
    for (const std::uint64_t slot : image.slots_holding(text)) {
      auto candidate = read_spec(image, slot);
      if (!candidate) candidate = read_static_type(image, slot);
      if (!candidate || candidate->dealloc == 0 || (*candidate).*required == 0) continue;
      if (found && ((*found).*required != (*candidate).*required || found->dealloc != candidate->dealloc)) {
        return fail(fmt::format("two different {} types: {} and {}", name, found->detail, candidate->detail));
      }
      found = std::move(candidate);
    }
  }
  if (found) return std::move(*found);
  return fail(has_name ? fmt::format("the text \"{}\" is there but no type object or PyType_Spec uses it", name)
                       : fmt::format("no {} type in this file", name));
}

}  // namespace asyncleak::elf
