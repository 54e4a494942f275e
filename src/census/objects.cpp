#include "census/objects.h"

#include "python/objects.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <vector>

namespace asyncleak::census {

// Asked of the type's flags, not of the table of types: that table reads the names of its types with our help.
bool Objects::is_str(std::uint64_t object) const {
  constexpr std::uint64_t str_subclass = 1U << 28;  // Include/object.h Py_TPFLAGS_UNICODE_SUBCLASS
  const auto type = heap_->word(object + heap_->layout.ob_type);
  return type != 0 && (heap_->word(type + heap_->objects.type_flags) & str_subclass) != 0;
}

std::optional<StrShape> Objects::str_shape(std::uint64_t str) const {
  if (!is_str(str)) return std::nullopt;
  const auto& layout = heap_->layout;
  const auto state = heap_->memory->value<std::uint32_t>(str + layout.str_state);
  const auto length = heap_->memory->value<std::uint64_t>(str + layout.str_length);
  if (!state || !length || *length > most_length) return std::nullopt;
  const auto bits = *state >> layout.str_kind_shift;
  StrShape shape{*length, bits & 7, (bits & 8) != 0, (bits & 16) != 0, 0};
  if (shape.kind != 1 && shape.kind != 2 && shape.kind != 4) return std::nullopt;
  if (shape.compact) {
    shape.data = str + (shape.ascii ? layout.str_ascii_data : layout.str_compact_data);
  } else {
    // Instances of subclasses: PyUnicodeObject.data, right behind PyCompactUnicodeObject.
    shape.data = heap_->word(str + layout.str_compact_data);
  }
  return shape;
}

std::optional<std::string> Objects::text(std::uint64_t str, std::size_t limit) const {
  const auto shape = str_shape(str);
  if (!shape) return std::nullopt;
  const auto characters = std::min<std::uint64_t>(shape->length, limit);
  std::vector<std::uint8_t> bytes(characters * shape->kind);
  if (!bytes.empty() && !heap_->memory->read(shape->data, std::as_writable_bytes(std::span(bytes)))) {
    return std::nullopt;
  }
  return python::decode_text(bytes, shape->kind, characters < shape->length);
}

std::optional<IntDigits> Objects::int_digits(std::uint64_t object) const {
  const Type* type = type_of(object);
  if (type == nullptr || type->kind != Kind::integer) return std::nullopt;
  const auto& objects = heap_->objects;
  if ((objects.flags & python::obj_long_tagged) != 0) {
    const auto tag = heap_->memory->value<std::uint64_t>(object + objects.long_tag);
    if (!tag || *tag >> 3 > most_length) return std::nullopt;
    constexpr std::uint64_t sign_negative = 2;  // Include/internal/pycore_long.h SIGN_NEGATIVE
    return IntDigits{*tag >> 3, (*tag & 3) == sign_negative};
  }
  const auto size = heap_->memory->value<std::int64_t>(object + heap_->layout.tuple_size);
  if (!size || *size < -static_cast<std::int64_t>(most_length) || *size > static_cast<std::int64_t>(most_length)) {
    return std::nullopt;
  }
  return IntDigits{static_cast<std::uint64_t>(std::abs(*size)), *size < 0};
}

std::optional<std::int64_t> Objects::integer(std::uint64_t object) const {
  constexpr unsigned digit_bits = 30;  // PyLong_SHIFT of every 64-bit build
  const auto digits = int_digits(object);
  std::array<std::uint32_t, 3> parts{};
  if (!digits || digits->count > parts.size()) return std::nullopt;
  const std::span<std::uint32_t> used(parts.data(), digits->count);
  if (!used.empty() && !heap_->memory->read(object + heap_->objects.long_digits, std::as_writable_bytes(used))) {
    return std::nullopt;
  }
  constexpr std::uint32_t bits_left = 2;
  if (parts[2] >= 1U << bits_left) return std::nullopt;
  std::int64_t value = 0;
  for (std::size_t i = parts.size(); i-- > 0;) value = value << digit_bits | (parts[i] & ((1U << digit_bits) - 1));
  return digits->negative ? -value : value;
}

std::optional<double> Objects::floating(std::uint64_t object) const {
  const Type* type = type_of(object);
  if (type == nullptr || type->kind != Kind::floating) return std::nullopt;
  const auto value = heap_->memory->value<double>(object + heap_->objects.float_value);
  return value ? std::optional(*value) : std::nullopt;
}

std::optional<std::uint64_t> Objects::queue_length(std::uint64_t simple_queue) const {
  const auto& objects = heap_->objects;
  if (objects.simple_queue_list == AL_ABSENT) {
    const auto count = heap_->memory->value<std::uint64_t>(simple_queue + objects.simple_queue_count);
    return count && *count <= most_length ? std::optional(*count) : std::nullopt;
  }
  const auto list = heap_->word(simple_queue + objects.simple_queue_list);
  const Type* type = type_of(list);
  if (type == nullptr || type->kind != Kind::list) return std::nullopt;
  const auto all = length(list);
  const auto taken = heap_->memory->value<std::uint64_t>(simple_queue + objects.simple_queue_taken);
  return all && taken && *taken <= *all ? std::optional(*all - *taken) : std::nullopt;
}

std::optional<std::uint64_t> Objects::length(std::uint64_t object) const {
  const Type* type = type_of(object);
  if (type == nullptr) return std::nullopt;
  std::uint64_t at = object + heap_->layout.tuple_size;
  switch (type->kind) {
    case Kind::list:
    case Kind::tuple:
    case Kind::deque:
    case Kind::bytes:
    case Kind::bytearray:
    case Kind::array:
      break;
    case Kind::dict:
      at = object + heap_->objects.dict_used;
      break;
    case Kind::set:
      at = object + heap_->objects.set_used;
      break;
    case Kind::str:
      at = object + heap_->layout.str_length;
      break;
    case Kind::memoryview:  // of the first dimension; null: it has none
      at = heap_->word(object + heap_->objects.memoryview_shape);
      break;
    case Kind::simple_queue:
      return queue_length(object);
    default:
      return std::nullopt;
  }
  const auto length = heap_->memory->value<std::uint64_t>(at);
  return length && *length <= most_length ? std::optional(*length) : std::nullopt;
}

bool Objects::same_text(std::uint64_t str, std::string_view ascii) const {
  // The length first: most keys that differ differ there.
  if (heap_->word(str + heap_->layout.str_length) != ascii.size()) return false;
  return text(str, ascii.size()) == ascii;
}

std::optional<std::uint64_t> Objects::entry(std::uint64_t dict, std::string_view key) const {
  std::optional<std::uint64_t> found;
  each_entry(dict, [&](std::uint64_t name, std::uint64_t value) {
    if (same_text(name, key)) found = value;
    return !found;
  });
  return found;
}

std::optional<std::uint64_t> Objects::attribute(std::uint64_t instance, std::string_view name) const {
  std::optional<std::uint64_t> found;
  each_attribute(instance, [&](const std::string& its_name, std::uint64_t value) {
    if (its_name == name) found = value;
    return !found;
  });
  return found;
}

}  // namespace asyncleak::census
