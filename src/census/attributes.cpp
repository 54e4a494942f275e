// Objects: the attributes of instances.
#include "census/dict_keys.h"
#include "census/objects.h"

namespace asyncleak::census {
namespace {

// Where tp_dictoffset counts from the end of an object of variable size: Objects/object.c _PyObject_GetDictPtr.
std::uint64_t offset_from_end(std::int64_t offset, std::int64_t size, const Type& type) {
  constexpr std::int64_t alignment = sizeof(std::uint64_t);
  const auto items = size < 0 ? -size : size;
  const auto bytes = type.basicsize + items * type.itemsize;
  return static_cast<std::uint64_t>((bytes + alignment - 1) / alignment * alignment + offset);
}

// The names a class's instances share; CPython allows 30 (SHARED_KEYS_MAX_SIZE).
std::optional<DictKeys> shared_keys(const Heap& heap, const Type& type) {
  constexpr std::uint64_t most = 256;
  auto keys = read_keys(heap, type.cached_keys);
  return keys && keys->used <= most ? keys : std::nullopt;
}

}  // namespace

std::uint64_t Objects::dict_of(std::uint64_t instance) const {
  const Type* type = type_of(instance);
  if (type == nullptr) return 0;
  const auto& objects = heap_->objects;
  std::uint64_t dict = 0;
  if ((type->flags & type_managed_dict) != 0 && (objects.flags & python::obj_dict_by_offset) == 0) {
    // 3.11 keeps values and dict in two words, of which one is null; 3.12 one word that is either.
    const auto values = static_cast<std::uint64_t>(static_cast<std::int64_t>(objects.instance_values));
    if ((objects.flags & python::obj_values_pointer) != 0 && heap_->word(instance + values) != 0) return 0;
    dict = heap_->word(instance + static_cast<std::uint64_t>(static_cast<std::int64_t>(objects.instance_dict)));
    if ((objects.flags & python::obj_values_tagged) != 0 && (dict & 1) != 0) return 0;
  } else if (type->dictoffset > 0) {
    dict = heap_->word(instance + static_cast<std::uint64_t>(type->dictoffset));
  } else if (type->dictoffset < 0) {
    const auto size = heap_->memory->value<std::int64_t>(instance + heap_->layout.tuple_size);
    constexpr std::int64_t largest = most_length;
    if (!size || *size > largest || *size < -largest) return 0;
    dict = heap_->word(instance + offset_from_end(type->dictoffset, *size, *type));
  }
  if (dict == 0) return 0;
  const Type* type_of_dict = type_of(dict);
  return type_of_dict != nullptr && type_of_dict->kind == Kind::dict ? dict : 0;
}

std::uint64_t Objects::values_of(std::uint64_t instance, const Type& type) const {
  const auto& objects = heap_->objects;
  if ((type.flags & type_managed_dict) == 0 || (objects.flags & python::obj_dict_by_offset) != 0) return 0;
  if ((objects.flags & python::obj_values_inline) != 0) {
    if ((type.flags & type_inline_values) == 0) return 0;
    const auto dict = static_cast<std::uint64_t>(static_cast<std::int64_t>(objects.instance_dict));
    if (heap_->word(instance + dict) != 0) return 0;
    return instance + static_cast<std::uint64_t>(type.basicsize) + objects.values_first;
  }
  const auto at = static_cast<std::uint64_t>(static_cast<std::int64_t>(objects.instance_values));
  const auto word = heap_->word(instance + at);
  if ((objects.flags & python::obj_values_tagged) == 0) return word == 0 ? 0 : word + objects.values_first;
  return (word & 1) != 0 ? word + 1 + objects.values_first : 0;
}

std::uint64_t Objects::values_bytes(std::uint64_t instance) const {
  const Type* type = type_of(instance);
  if (type == nullptr || values_of(instance, *type) == 0) return 0;
  const auto keys = shared_keys(*heap_, *type);
  return keys ? (keys->used + keys->free) * sizeof(std::uint64_t) : 0;
}

// __slots__ become member descriptors in the class's dict, one for each of its own and its bases' names.
const std::vector<Objects::Slot>& Objects::slots_of(const Type& type) const {
  const auto known = slots_.find(type.address);
  if (known != slots_.end()) return known->second;
  std::vector<Slot> slots;
  constexpr int deepest = 64;
  constexpr std::size_t most_slots = 1024;
  const auto& objects = heap_->objects;
  const Type* each = &type;
  for (int depth = 0; each != nullptr && (each->flags & type_heap) != 0 && depth < deepest; ++depth) {
    each_entry(heap_->word(each->address + objects.type_dict), [&](std::uint64_t key, std::uint64_t value) {
      const Type* descriptor = types_->of(value);
      if (descriptor == nullptr || descriptor->qualname != "member_descriptor") return true;
      const auto definition = heap_->word(value + objects.member_def);
      const auto kind = heap_->memory->value<std::int32_t>(definition + 8);
      const auto offset = heap_->memory->value<std::uint64_t>(definition + 16);
      constexpr std::int32_t object_or_none = 6, object = 16;  // Py_T_OBJECT_EX is 16
      if (!kind || !offset || (*kind != object && *kind != object_or_none)) return true;
      const auto end = static_cast<std::uint64_t>(type.basicsize);
      if (*offset == 0 || *offset % sizeof(std::uint64_t) != 0 || *offset >= end) return true;
      slots.push_back({text(key).value_or("?"), static_cast<std::uint32_t>(*offset)});
      return slots.size() < most_slots;
    });
    each = each->base != 0 ? types_->at(each->base) : nullptr;
  }
  return slots_.emplace(type.address, std::move(slots)).first->second;
}

bool Objects::each_attribute(std::uint64_t instance, const EachAttribute& each) const {
  const Type* type = type_of(instance);
  if (type == nullptr) return false;
  bool more = true, readable = true;
  const auto named = [&](std::uint64_t key, std::uint64_t value) {
    const auto name = value != 0 ? text(key) : std::nullopt;
    if (name) more = each(*name, value);
    return more;
  };
  if (const auto dict = dict_of(instance); dict != 0) {
    readable = each_entry(dict, named);
  } else if (const auto values = values_of(instance, *type); values != 0) {
    const auto keys = shared_keys(*heap_, *type);
    readable = keys && each_key(*heap_, *keys, [&](std::uint64_t index, std::uint64_t key, std::uint64_t) {
                 return named(key, heap_->word(values + index * sizeof(std::uint64_t)));
               });
  }
  if ((type->flags & type_heap) == 0) return readable;
  for (const auto& slot : slots_of(*type)) {
    const auto value = more ? heap_->word(instance + slot.offset) : 0;
    if (value != 0) more = each(slot.name, value);
  }
  return readable;
}

bool Objects::each_value(std::uint64_t instance, const EachItem& each) const {
  const Type* type = type_of(instance);
  if (type == nullptr) return false;
  if (const auto values = values_of(instance, *type); values != 0) {
    const auto keys = shared_keys(*heap_, *type);
    if (!keys) return false;
    // Names that the class learnt after this instance was made have no value in it.
    for (std::uint64_t i = 0; i < keys->used; ++i) {
      const auto value = heap_->word(values + i * sizeof(std::uint64_t));
      if (value != 0 && !each(value)) return true;
    }
  }
  if ((type->flags & type_heap) == 0) return true;
  for (const auto& slot : slots_of(*type)) {
    const auto value = heap_->word(instance + slot.offset);
    if (value != 0 && !each(value)) return true;
  }
  return true;
}

}  // namespace asyncleak::census
