// DeepSizer::shallow: the __sizeof__ of each builtin type, and what sys.getsizeof adds before the object.
#include "census/deep_size.h"
#include "census/dict_keys.h"

#include <algorithm>

namespace asyncleak::census {
namespace {

constexpr std::uint64_t word = sizeof(std::uint64_t);
using Size = std::optional<std::uint64_t>;

// Python/sysmodule.c _PySys_GetSizeOf, Include/internal/pycore_object.h _PyType_PreHeaderSize: the collector's head,
// and two words for a managed __dict__ (3.11) or weak references (3.12).
std::uint64_t before_object(const Heap& heap, const Type& type) {
  const auto flags = heap.objects.flags;
  std::uint64_t bytes = 0;
  if ((flags & python::obj_gc_head) != 0 && (type.flags & type_have_gc) != 0) bytes += 2 * word;
  std::uint64_t managed = (flags & python::obj_dict_by_offset) != 0 ? 0 : type_managed_dict;
  if ((flags & (python::obj_dict_by_offset | python::obj_values_pointer)) == 0) managed |= type_managed_weakref;
  if ((type.flags & managed) != 0) bytes += 2 * word;
  return bytes;
}

// Objects/typeobject.c object___sizeof___impl.
Size generic(const Heap& heap, std::uint64_t object, const Type& type) {
  const auto basic = static_cast<std::uint64_t>(type.basicsize);
  if (type.itemsize == 0) return basic;
  const auto items = heap.memory->value<std::int64_t>(object + heap.layout.tuple_size);
  if (!items || *items > static_cast<std::int64_t>(Objects::most_length) ||
      *items < -static_cast<std::int64_t>(Objects::most_length)) {
    return std::nullopt;
  }
  return basic + static_cast<std::uint64_t>(*items < 0 ? -*items : *items) * static_cast<std::uint64_t>(type.itemsize);
}

// Objects/unicodeobject.c unicode_sizeof; the wchar_t copy that 3.8 to 3.11 can keep is left out: only extensions that
// use an API deprecated since 3.3 make one.
Size of_str(const Objects& objects, std::uint64_t object) {
  const auto& layout = objects.heap().layout;
  const auto shape = objects.str_shape(object);
  if (!shape) return std::nullopt;
  const auto text = (shape->length + 1) * shape->kind;
  if (shape->compact && shape->ascii) return layout.str_ascii_data + text;
  auto bytes = layout.str_compact_data + (shape->compact ? 0 : word) + text;
  // PyCompactUnicodeObject begins with utf8_length and utf8: the encoded text, once somebody asked for it.
  const auto utf8 = objects.heap().word(object + layout.str_ascii_data + word);
  if (utf8 != 0 && utf8 != shape->data) bytes += objects.heap().word(object + layout.str_ascii_data) + 1;
  return bytes;
}

// Objects/dictobject.c _PyDict_SizeOf.
Size of_dict(const Heap& heap, std::uint64_t object, const Type& type) {
  const auto keys = read_keys(heap, heap.word(object + heap.layout.dict_keys));
  if (!keys) return std::nullopt;
  auto bytes = static_cast<std::uint64_t>(type.basicsize);
  if (heap.word(object + heap.objects.dict_values) != 0) {
    const bool by_room = (heap.objects.flags & python::obj_dict_by_offset) != 0;
    bytes += (by_room ? keys->room : keys->used + keys->free) * word;
  }
  return keys->refcount == 1 ? bytes + keys->bytes : bytes;
}

// Objects/odictobject.c odict_sizeof: a node of four words for each entry, and a table of them. Behind the dict:
// od_first, od_last, od_fast_nodes, od_fast_nodes_size.
Size of_ordered_dict(const Heap& heap, std::uint64_t object, const Type& type) {
  const auto dict = of_dict(heap, object, type);
  const auto table = heap.word(object + heap.objects.dict_values + 4 * word);
  const auto used = heap.word(object + heap.objects.dict_used);
  if (!dict || table > Objects::most_length || used > Objects::most_length) return std::nullopt;
  return *dict + table * word + used * 4 * word;
}

Size with_room(const Heap& heap, const Type& type, std::uint64_t room_at, std::uint64_t each) {
  const auto room = heap.memory->value<std::uint64_t>(room_at);
  if (!room || *room > Objects::most_length) return std::nullopt;
  return static_cast<std::uint64_t>(type.basicsize) + *room * each;
}

// Objects/setobject.c: up to eight entries lie within the object.
Size of_set(const Heap& heap, std::uint64_t object, const Type& type) {
  const auto mask = heap.memory->value<std::uint64_t>(object + heap.objects.set_mask);
  if (!mask || *mask > Objects::most_length) return std::nullopt;
  const bool small = heap.word(object + heap.objects.set_table) == object + heap.objects.set_small_table;
  return static_cast<std::uint64_t>(type.basicsize) + (small ? 0 : (*mask + 1) * 2 * word);
}

// Modules/_collectionsmodule.c deque___sizeof__: whole blocks, the free space left of the first item included.
Size of_deque(const Objects& objects, std::uint64_t object, const Type& type) {
  constexpr std::uint64_t block_items = 64, block_bytes = (block_items + 2) * word;
  const auto length = objects.length(object);
  const auto left = objects.heap().word(object + objects.heap().objects.deque_left_index);
  if (!length || left > block_items) return std::nullopt;
  const auto blocks = (left + *length + block_items - 1) / block_items;
  return static_cast<std::uint64_t>(type.basicsize) + blocks * block_bytes;
}

// The class or the base of it that is written in C and has this name; null: none.
const Type* builtin_base(const Objects& objects, const Type& type, std::string_view module, std::string_view name) {
  constexpr int deepest = 64;
  const Type* each = &type;
  for (int depth = 0; each != nullptr && depth < deepest; ++depth) {
    if (each->qualname == name && each->module == module) return each;
    each = each->base != 0 ? objects.types().at(each->base) : nullptr;
  }
  return nullptr;
}

// Objects/bytearrayobject.c; from 3.15 the bytes lie in a bytes object that only the bytearray knows, kept behind
// ob_exports: told by the size of the type.
Size of_bytearray(const Objects& objects, std::uint64_t object, const Type& type) {
  const auto& heap = objects.heap();
  const auto size = with_room(heap, type, object + heap.objects.bytearray_alloc, 1);
  const auto room = heap.word(object + heap.objects.bytearray_alloc);
  const Type* own = builtin_base(objects, type, "", "bytearray");
  const std::uint64_t without_object = heap.objects.bytearray_start + 2 * word;
  const bool in_object = own != nullptr && static_cast<std::uint64_t>(own->basicsize) > without_object;
  return size && in_object && room != 0 ? *size + heap.layout.bytes_data + 1 : size;
}

// Modules/arraymodule.c: ob_item, allocated, ob_descr {char typecode; int itemsize; ...}.
Size of_array(const Heap& heap, std::uint64_t object, const Type& type) {
  const auto first = object + heap.layout.tuple_size + word;
  const auto each = heap.memory->value<std::int32_t>(heap.word(first + 2 * word) + sizeof(std::int32_t));
  constexpr std::int32_t widest = 16;
  if (!each || *each < 1 || *each > widest) return std::nullopt;
  return with_room(heap, type, first + word, static_cast<std::uint64_t>(*each));
}

Size own_size(const Objects& objects, std::uint64_t object, const Type& type) {
  const auto& heap = objects.heap();
  switch (type.kind) {
    case Kind::str:
      return of_str(objects, object);
    case Kind::integer: {  // Objects/longobject.c: space for one digit at least
      const auto digits = objects.int_digits(object);
      if (!digits) return std::nullopt;
      return heap.objects.long_digits + std::max<std::uint64_t>(digits->count, 1) * sizeof(std::uint32_t);
    }
    case Kind::list:
      return with_room(heap, type, object + heap.objects.list_allocated, word);
    case Kind::dict:
      return builtin_base(objects, type, "collections", "OrderedDict") != nullptr ? of_ordered_dict(heap, object, type)
                                                                                  : of_dict(heap, object, type);
    case Kind::set:
      return of_set(heap, object, type);
    case Kind::deque:
      return of_deque(objects, object, type);
    case Kind::bytearray:
      return of_bytearray(objects, object, type);
    case Kind::array:
      return of_array(heap, object, type);
    default:
      return generic(heap, object, type);
  }
}

}  // namespace

std::optional<std::uint64_t> DeepSizer::shallow(std::uint64_t object) const {
  const Type* type = objects_->type_of(object);
  if (type == nullptr) return std::nullopt;
  const auto own = own_size(*objects_, object, *type);
  constexpr std::uint64_t largest = std::uint64_t{1} << 44;
  if (!own || *own > largest) return std::nullopt;
  return *own + before_object(objects_->heap(), *type);
}

}  // namespace asyncleak::census
