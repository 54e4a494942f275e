#include "census/show_value.h"

#include <fmt/format.h>
#include <algorithm>
#include <cstddef>
#include <vector>

namespace asyncleak::census {
namespace {

// A value inside a container is shown, what that holds in turn is only counted.
constexpr int deepest = 2;

class Shower {
 public:
  Shower(const Objects& objects, const ShowOptions& options) : objects_(objects), options_(options) {}

  [[nodiscard]] std::string show(std::uint64_t object, int depth) const;

 private:
  [[nodiscard]] std::string text(std::uint64_t object) const;
  [[nodiscard]] std::string bytes(std::uint64_t object, const Type& type) const;
  [[nodiscard]] std::string integer(std::uint64_t object, const Type& type) const;
  [[nodiscard]] std::string floating(std::uint64_t object) const;
  [[nodiscard]] std::string container(std::uint64_t object, const Type& type, int depth) const;
  [[nodiscard]] std::string named(std::uint64_t object, const Type& type) const;

  const Objects& objects_;
  const ShowOptions& options_;
};

std::string with_thousands(std::uint64_t value) {
  auto digits = std::to_string(value);
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3) {
    digits.insert(static_cast<std::size_t>(at), 1, ',');
  }
  return digits;
}

std::string unreadable(std::uint64_t object) { return fmt::format("<unreadable at {:#x}>", object); }

// As repr() chooses quotes. decode_text has shown control characters already.
std::string quoted(std::string_view text) {
  const bool single = text.find('\'') == std::string_view::npos || text.find('"') != std::string_view::npos;
  return fmt::format("{0}{1}{0}", single ? '\'' : '"', text);
}

std::string Shower::text(std::uint64_t object) const {
  const auto shape = objects_.str_shape(object);
  if (!shape) return unreadable(object);
  if (options_.redact) return fmt::format("<str, {} characters>", with_thousands(shape->length));
  const auto text = objects_.text(object, options_.most_characters);
  return text ? quoted(*text) : unreadable(object);
}

std::string Shower::bytes(std::uint64_t object, const Type& type) const {
  const auto length = objects_.length(object);
  if (!length) return unreadable(object);
  const bool array = type.kind == Kind::bytearray;
  if (options_.redact) return fmt::format("<{}, {} bytes>", array ? "bytearray" : "bytes", with_thousands(*length));
  const auto& heap = objects_.heap();
  const auto at = array ? heap.word(object + heap.objects.bytearray_start) : object + heap.layout.bytes_data;
  std::vector<std::uint8_t> shown(std::min<std::uint64_t>(*length, options_.most_characters));
  if (!shown.empty() && !heap.memory->read(at, std::as_writable_bytes(std::span(shown)))) return unreadable(object);
  std::string out;
  for (const auto byte : shown) {
    constexpr std::uint8_t first_printable = 0x20, past_printable = 0x7f;
    const bool printable = byte >= first_printable && byte < past_printable;
    out += printable ? std::string(1, static_cast<char>(byte)) : fmt::format("\\x{:02x}", byte);
  }
  if (shown.size() < *length) out += "...";
  return array ? fmt::format("bytearray(b{})", quoted(out)) : fmt::format("b{}", quoted(out));
}

std::string Shower::integer(std::uint64_t object, const Type& type) const {
  const auto value = objects_.integer(object);
  if (options_.redact) return fmt::format("<{}>", type.name());
  if (value) return type.qualname == "bool" ? (*value != 0 ? "True" : "False") : fmt::format("{}", *value);
  const auto digits = objects_.int_digits(object);
  if (!digits) return unreadable(object);
  constexpr unsigned digit_bits = 30;
  return fmt::format("<int of about {} bits>", with_thousands(digits->count * digit_bits));
}

std::string Shower::floating(std::uint64_t object) const {
  const auto value = objects_.floating(object);
  if (!value) return unreadable(object);
  if (options_.redact) return "<float>";
  auto out = fmt::format("{}", *value);
  const bool whole = out.find_first_not_of("-0123456789") == std::string::npos;
  return whole ? out + ".0" : out;
}

std::string_view opening(const Type& type) {
  switch (type.kind) {
    case Kind::list:
      return "[";
    case Kind::tuple:
      return "(";
    case Kind::deque:
      return "deque([";
    default:
      return type.qualname == "frozenset" ? "frozenset({" : "{";
  }
}

std::string_view closing(const Type& type) {
  switch (type.kind) {
    case Kind::list:
      return "]";
    case Kind::tuple:
      return ")";
    case Kind::deque:
      return "])";
    default:
      return type.qualname == "frozenset" ? "})" : "}";
  }
}

std::string Shower::container(std::uint64_t object, const Type& type, int depth) const {
  const auto length = objects_.length(object);
  if (!length) return unreadable(object);
  const bool closed = depth >= deepest && *length > 0;
  if (closed) return fmt::format("<{}, {} items>", type.name(), with_thousands(*length));
  if (*length == 0 && type.kind == Kind::set) return type.qualname + "()";
  std::string out(opening(type));
  std::size_t shown = 0;
  const auto room = [&] { return shown < options_.most_items; };
  const auto add = [&](const std::string& item) {
    out += (shown++ == 0 ? "" : ", ") + item;
    return room();
  };
  if (room() && type.kind == Kind::dict) {
    objects_.each_entry(object, [&](std::uint64_t key, std::uint64_t value) {
      return add(show(key, depth + 1) + ": " + show(value, depth + 1));
    });
  } else if (room()) {
    objects_.each_item(object, [&](std::uint64_t item) { return add(show(item, depth + 1)); });
  }
  if (shown < *length) {
    out += fmt::format("{}... {} items", shown == 0 ? "" : ", ", with_thousands(*length));
  } else if (type.kind == Kind::tuple && shown == 1) {
    out += ",";
  }
  return out.append(closing(type));
}

// What is known by a name of its own.
std::string Shower::named(std::uint64_t object, const Type& type) const {
  const auto& heap = objects_.heap();
  const auto name_at = [&](std::uint64_t offset) { return objects_.text(heap.word(object + offset)).value_or("?"); };
  switch (type.kind) {
    case Kind::none:
      return "None";
    case Kind::type: {
      const Type* shown = objects_.types().at(object);
      return fmt::format("<class {}>", shown != nullptr ? shown->name() : "?");
    }
    case Kind::module:
      return fmt::format("<module {}>", name_at(heap.objects.module_name));
    case Kind::function:
      return fmt::format("<function {} at {:#x}>", name_at(heap.objects.function_qualname), object);
    case Kind::coroutine:
    case Kind::generator:
    case Kind::async_generator:
      return fmt::format("<{} {} at {:#x}>", type.name(), name_at(heap.layout.coro_qualname), object);
    default:
      return fmt::format("<{} at {:#x}>", type.name(), object);
  }
}

std::string Shower::show(std::uint64_t object, int depth) const {
  const Type* type = objects_.type_of(object);
  if (type == nullptr) return unreadable(object);
  switch (type->kind) {
    case Kind::str:
      return text(object);
    case Kind::bytes:
    case Kind::bytearray:
      return bytes(object, *type);
    case Kind::integer:
      return integer(object, *type);
    case Kind::floating:
      return floating(object);
    case Kind::list:
    case Kind::tuple:
    case Kind::set:
    case Kind::deque:
    case Kind::dict:
      return container(object, *type, depth);
    default:
      return named(object, *type);
  }
}

}  // namespace

std::string show_value(const Objects& objects, std::uint64_t object, const ShowOptions& options) {
  return Shower(objects, options).show(object, 0);
}

}  // namespace asyncleak::census
