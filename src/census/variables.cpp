#include "census/variables.h"

#include <algorithm>
#include <span>

namespace asyncleak::census {
namespace {

using python::ObjectFlag;

// Appends the str items of a tuple. False: unreadable.
bool append_names(const Objects& objects, std::uint64_t tuple, Variable shape, std::vector<Variable>& out) {
  return objects.each_item(tuple, [&](std::uint64_t item) {
    auto name = objects.text(item);
    out.push_back(shape);
    out.back().name = name.value_or("?");
    return out.size() < most_variables;
  });
}

// 3.11+: one tuple of names and, in parallel, one byte of kinds each (Include/internal/pycore_code.h CO_FAST_*,
// equal from 3.11 to 3.15); co_localspluskinds is the field after co_localsplusnames.
std::vector<Variable> by_kinds(const Objects& objects, std::uint64_t code) {
  constexpr std::uint8_t cell = 0x40, free = 0x80;
  const Heap& heap = objects.heap();
  const std::uint64_t names = code + heap.objects.code_localsplusnames;
  std::vector<Variable> out;
  if (!append_names(objects, heap.word(names), {}, out)) return {};
  const std::uint64_t bytes = heap.word(names + sizeof(std::uint64_t));
  if (heap.word(bytes + heap.layout.bytes_size) != out.size()) return {};
  std::vector<std::uint8_t> kinds(out.size());
  if (!heap.memory->read(bytes + heap.layout.bytes_data, std::as_writable_bytes(std::span(kinds)))) return {};
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i].cell = (kinds[i] & (cell | free)) != 0;
    out[i].free = (kinds[i] & free) != 0;
  }
  return out;
}

}  // namespace

std::vector<Variable> variables_of(const Objects& objects, std::uint64_t code) {
  const Heap& heap = objects.heap();
  const auto& where = heap.objects;
  if ((where.flags & ObjectFlag::obj_no_varnames) != 0) return by_kinds(objects, code);
  std::vector<Variable> out;
  const bool read = append_names(objects, heap.word(code + where.code_varnames), {}, out) &&
                    append_names(objects, heap.word(code + where.code_cellvars), {{}, true, false}, out) &&
                    append_names(objects, heap.word(code + where.code_freevars), {{}, true, true}, out);
  if (!read) return {};
  return out;
}

std::optional<std::uint64_t> closure_value(const Objects& objects, std::uint64_t function, std::string_view name) {
  const Heap& heap = objects.heap();
  const auto variables = variables_of(objects, heap.word(function + heap.objects.function_code));
  std::size_t index = 0;
  for (const Variable& variable : variables) {
    if (!variable.free) continue;
    if (variable.name == name) break;
    ++index;
  }
  std::uint64_t cell = 0;
  std::size_t at = 0;
  objects.each_item(heap.word(function + heap.objects.function_closure), [&](std::uint64_t item) {
    if (at++ < index) return true;
    cell = item;
    return false;
  });
  const Type* type = cell == 0 ? nullptr : objects.type_of(cell);
  if (type == nullptr || type->kind != Kind::cell) return std::nullopt;
  const std::uint64_t value = heap.word(cell + heap.objects.cell_value);
  return value == 0 ? std::nullopt : std::optional(value);
}

}  // namespace asyncleak::census
