#include "census/code_uses.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <string_view>

namespace asyncleak::census {
namespace {

constexpr std::array<std::string_view, 10> wanted_names = {
    "FIRST_COMPLETED", "FIRST_EXCEPTION", "call_at",    "call_later", "cancel",
    "shield",          "timeout",         "timeout_at", "wait",       "wait_for"};
// return_when is a str: some write it so.
constexpr std::array<std::string_view, 2> wanted_constants = {"FIRST_COMPLETED", "FIRST_EXCEPTION"};
constexpr std::array<std::string_view, 1> wanted_keywords = {"timeout"};
constexpr std::size_t most_names = 1024;  // of one code object

bool is_in(std::string_view name, const auto& list) { return std::ranges::find(list, name) != list.end(); }

void sort_each_once(std::vector<std::string>& names) {
  std::ranges::sort(names);
  names.erase(std::unique(names.begin(), names.end()), names.end());
}

}  // namespace

std::vector<std::string> CodeUses::names_in(std::uint64_t code) const {
  const Objects& objects = readers_->objects;
  const Type* type = objects.type_of(code);
  std::vector<std::string> names;
  if (type == nullptr || type->kind != Kind::code) return names;
  objects.each_item(objects.heap().word(code + objects.heap().objects.code_names), [&](std::uint64_t item) {
    if (auto name = objects.text(item)) names.push_back(std::move(*name));
    return names.size() < most_names;
  });
  return names;
}

std::vector<std::string> CodeUses::of_code(std::uint64_t code) const {
  std::vector<std::string> uses = names_in(code);
  std::erase_if(uses, [](const std::string& name) { return !is_in(name, wanted_names); });
  const Objects& objects = readers_->objects;
  const Type* type = objects.type_of(code);
  if (type == nullptr || type->kind != Kind::code) return {};
  std::size_t looked_at = 0;
  objects.each_item(objects.heap().word(code + objects.heap().objects.code_consts), [&](std::uint64_t item) {
    const Type* kind = objects.type_of(item);
    if (kind != nullptr && kind->kind == Kind::str) {
      const auto text = objects.text(item, 32);
      if (text && is_in(*text, wanted_constants)) uses.push_back(*text);
    } else if (kind != nullptr && kind->kind == Kind::tuple) {  // of the names of keyword arguments, 3.6 to 3.15
      objects.each_item(item, [&](std::uint64_t each) {
        const auto text = objects.text(each, 32);
        if (text && is_in(*text, wanted_keywords)) uses.push_back(*text + "=");
        return text.has_value();
      });
    }
    return ++looked_at < most_names;
  });
  sort_each_once(uses);
  return uses;
}

void CodeUses::add_called(std::uint64_t function, std::uint64_t self, std::vector<std::string>& uses) const {
  const Objects& objects = readers_->objects;
  const Heap& heap = objects.heap();
  const std::uint64_t globals = heap.word(function + heap.objects.function_globals);
  const Type* owner = self != 0 ? objects.type_of(self) : nullptr;
  const std::uint64_t methods = owner != nullptr ? heap.word(owner->address + heap.objects.type_dict) : 0;
  constexpr std::size_t most_called = 64;
  std::size_t called = 0;
  for (const std::string& name : names_in(heap.word(function + heap.objects.function_code))) {
    for (const std::uint64_t space : {methods, globals}) {
      const auto found = space != 0 ? objects.entry(space, name) : std::nullopt;
      const Type* type = found ? objects.type_of(*found) : nullptr;
      if (type == nullptr || type->kind != Kind::function || *found == function || ++called > most_called) continue;
      std::ranges::move(of_code(heap.word(*found + heap.objects.function_code)), std::back_inserter(uses));
    }
  }
}

std::vector<std::string> CodeUses::of_callback(std::uint64_t callback) const {
  const Objects& objects = readers_->objects;
  const Heap& heap = objects.heap();
  constexpr int deepest = 8;  // partials of methods of partials
  std::uint64_t self = 0;
  for (int i = 0; i < deepest; i++) {
    const Type* type = objects.type_of(callback);
    if (type == nullptr) return {};
    if (type->kind == Kind::function) {
      auto uses = of_code(heap.word(callback + heap.objects.function_code));
      add_called(callback, self, uses);
      sort_each_once(uses);
      return uses;
    }
    if (type->kind == Kind::method) {
      self = heap.word(callback + heap.objects.method_self);
      callback = heap.word(callback + heap.objects.method_function);
    } else if (type->kind == Kind::partial) {
      callback = heap.word(callback + heap.objects.partial_function);
    } else {
      return {};
    }
  }
  return {};
}

}  // namespace asyncleak::census
