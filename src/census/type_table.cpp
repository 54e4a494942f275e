#include "census/type_table.h"

#include "census/objects.h"
#include "python/objects.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <utility>

namespace asyncleak::census {
namespace {

// Include/object.h Py_TPFLAGS_*_SUBCLASS, equal from 3.8 to 3.15.
constexpr std::pair<std::uint64_t, Kind> subclass_flags[] = {
    {1U << 24, Kind::integer},
    {1U << 25, Kind::list},
    {1U << 26, Kind::tuple},
    {1U << 27, Kind::bytes},
    {1U << 28, Kind::str},
    {1U << 29, Kind::dict},
    {std::uint64_t{1} << 31, Kind::type},
};
constexpr std::uint64_t type_subclass = std::uint64_t{1} << 31;

struct Named {
  std::string_view name;
  Kind kind;
};

// tp_name of types written in C. _asyncio's lost or gained their module with PyType_Spec (3.12).
constexpr Named c_types[] = {
    {"_asyncio.Task", Kind::task},
    {"_asyncio.Future", Kind::future},
    {"FutureIter", Kind::future_iterator},
    {"_asyncio.FutureIter", Kind::future_iterator},
    {"TaskStepMethWrapper", Kind::task_wakeup},
    {"_asyncio.TaskStepMethWrapper", Kind::task_wakeup},
    {"TaskWakeupMethWrapper", Kind::task_wakeup},
    {"coroutine", Kind::coroutine},
    {"generator", Kind::generator},
    {"async_generator", Kind::async_generator},
    {"async_generator_asend", Kind::async_generator_step},
    {"async_generator_athrow", Kind::async_generator_step},
    {"anext_awaitable", Kind::async_generator_step},  // Objects/iterobject.c, 3.10+: its first field, as in a step
    {"coroutine_wrapper", Kind::coroutine_wrapper},
    {"set", Kind::set},
    {"frozenset", Kind::set},
    {"collections.deque", Kind::deque},
    {"bytearray", Kind::bytearray},
    {"memoryview", Kind::memoryview},
    {"array.array", Kind::array},
    {"_queue.SimpleQueue", Kind::simple_queue},
    {"float", Kind::floating},
    {"NoneType", Kind::none},
    {"module", Kind::module},
    {"function", Kind::function},
    {"method", Kind::method},
    {"builtin_function_or_method", Kind::builtin},
    {"builtin_method", Kind::builtin},
    {"cell", Kind::cell},
    {"code", Kind::code},
    {"frame", Kind::frame},
    {"weakref", Kind::weak_reference},
    {"weakref.ReferenceType", Kind::weak_reference},
    {"functools.partial", Kind::partial},
    // uvloop, written in Cython
    {"uvloop.loop.Loop", Kind::loop},
    {"uvloop.loop.Handle", Kind::handle},
    {"uvloop.loop.TimerHandle", Kind::timer_handle},
    {"uvloop.loop.UVBaseTransport", Kind::transport},
    {"uvloop.loop.UVProcessTransport", Kind::transport},
};

struct Qualified {
  std::string_view module, name;
  Kind kind;
};

// Classes written in Python; their subclasses are of the same kind.
constexpr Qualified python_classes[] = {
    {"asyncio.events", "Handle", Kind::handle},
    {"asyncio.events", "TimerHandle", Kind::timer_handle},
    {"asyncio.events", "AbstractEventLoop", Kind::loop},
    {"asyncio.transports", "BaseTransport", Kind::transport},
    {"asyncio.queues", "Queue", Kind::queue},
    {"asyncio.locks", "Lock", Kind::sync},
    {"asyncio.locks", "Event", Kind::sync},
    {"asyncio.locks", "Condition", Kind::sync},
    {"asyncio.locks", "Semaphore", Kind::sync},
    {"asyncio.locks", "Barrier", Kind::sync},
    {"asyncio.tasks", "Task", Kind::python_task},
};

// What a class inherits from its base; everything else about it is its own.
bool inherited(Kind kind) {
  return kind == Kind::task || kind == Kind::future || (kind >= Kind::handle && kind <= Kind::sync) ||
         kind == Kind::python_task || kind == Kind::set || kind == Kind::deque || kind == Kind::bytearray ||
         kind == Kind::array || kind == Kind::simple_queue || kind == Kind::floating || kind == Kind::module ||
         kind == Kind::weak_reference || kind == Kind::partial;
}

std::string c_string(const Heap& heap, std::uint64_t address) {
  std::array<std::uint8_t, 128> bytes{};
  // A name at the end of a page is read by halves.
  for (std::size_t size = bytes.size(); size >= 16; size /= 2) {
    if (!heap.memory->read(address, std::as_writable_bytes(std::span(bytes.data(), size)))) continue;
    const auto* end = static_cast<const std::uint8_t*>(std::memchr(bytes.data(), 0, size));
    const bool cut = end == nullptr;
    const auto length = cut ? size : static_cast<std::size_t>(end - bytes.data());
    return python::decode_text({bytes.data(), length}, 8, cut);
  }
  return {};
}

Kind kind_by_flags(std::uint64_t flags) {
  for (const auto& [flag, kind] : subclass_flags) {
    if ((flags & flag) != 0) return kind;
  }
  return Kind::other;
}

template <class Entry, std::size_t N, class Same>
Kind look_up(const Entry (&entries)[N], Same same) {
  const auto* found = std::find_if(std::begin(entries), std::end(entries), same);
  return found == std::end(entries) ? Kind::other : found->kind;
}

}  // namespace

std::string Type::name() const { return module.empty() || module == "builtins" ? qualname : module + "." + qualname; }

TypeTable::TypeTable(const Heap* heap) : heap_(heap) {}

const Type* TypeTable::of(std::uint64_t object) { return at(heap_->word(object + heap_->layout.ob_type)); }

const Type* TypeTable::at(std::uint64_t address) {
  if (const auto found = known_.find(address); found != known_.end()) return found->second;
  // Words of a heap that are no types: remembered, but not without end.
  constexpr std::size_t most_strangers = 1U << 16;
  if (known_.size() > types_.size() + most_strangers) {
    std::erase_if(known_, [](const auto& entry) { return entry.second == nullptr; });
  }
  constexpr int deepest = 64;
  if (depth_ >= deepest) return nullptr;
  known_[address] = nullptr;  // a class that is its own base ends here
  depth_++;
  auto type = read(address);
  depth_--;
  if (!type) return nullptr;
  type->index = static_cast<std::uint32_t>(types_.size());
  types_.push_back(std::move(type));
  return known_[address] = types_.back().get();
}

std::unique_ptr<Type> TypeTable::read(std::uint64_t address) {
  constexpr std::uint64_t lowest = 0x10000, user_space_end = std::uint64_t{1} << 47;
  if (address % 8 != 0 || address < lowest || address >= user_space_end) return nullptr;
  const auto& where = heap_->objects;
  const auto metatype = heap_->word(address + heap_->layout.ob_type);
  if (metatype % 8 != 0 || metatype < lowest || metatype >= user_space_end) return nullptr;
  // The type of a type is a type: type, or a metaclass derived from it.
  if ((heap_->word(metatype + where.type_flags) & type_subclass) == 0) return nullptr;
  auto type = std::make_unique<Type>();
  type->address = address;
  type->flags = heap_->word(address + where.type_flags);
  type->basicsize = static_cast<std::int64_t>(heap_->word(address + where.type_basicsize));
  type->itemsize = static_cast<std::int64_t>(heap_->word(address + where.type_itemsize));
  constexpr std::int64_t largest = 1 << 24;
  if (type->basicsize < 16 || type->basicsize > largest || type->itemsize < 0 || type->itemsize > largest) {
    return nullptr;
  }
  type->dictoffset = static_cast<std::int64_t>(heap_->word(address + where.type_dictoffset));
  type->base = heap_->word(address + where.type_base);
  const auto name = c_string(*heap_, heap_->word(address + heap_->layout.type_name));
  if (name.empty()) return nullptr;
  name_it(*type, name);
  return type;
}

// tp_name is "module.name" for types written in C (no module: builtins), and the bare __name__ of a class statement.
void TypeTable::name_it(Type& type, const std::string& name) {
  const auto dot = name.rfind('.');
  type.qualname = dot == std::string::npos ? name : name.substr(dot + 1);
  type.module = dot == std::string::npos ? "" : name.substr(0, dot);
  type.kind = look_up(c_types, [&](const Named& entry) { return entry.name == name; });
  if ((type.flags & type_heap) != 0) {
    type.cached_keys = heap_->word(type.address + heap_->objects.type_cached_keys);
    const Objects objects(heap_, this);
    if (const auto full = objects.text(heap_->word(type.address + heap_->objects.type_qualname))) type.qualname = *full;
    if (type.module.empty()) {
      type.kind = Kind::other;  // class coroutine: ...
      const auto module = objects.entry(heap_->word(type.address + heap_->objects.type_dict), "__module__");
      if (module) type.module = objects.text(*module).value_or("");
      type.kind = look_up(python_classes, [&](const Qualified& entry) {
        return entry.module == type.module && entry.name == type.qualname;
      });
    }
  }
  if (type.kind == Kind::other) type.kind = kind_by_flags(type.flags);
  if (type.kind != Kind::other || type.base == 0) return;
  const Type* base = at(type.base);
  if (base != nullptr && inherited(base->kind)) type.kind = base->kind;
}

}  // namespace asyncleak::census
