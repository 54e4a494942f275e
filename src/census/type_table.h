// The types of one process: what an object is, by the address of its type.
//
// Used by everything in this folder. Filled on demand from memory and kept for the session of one
// process image; an address that is no type is remembered as such.
#pragma once

#include "census/heap.h"

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace asyncleak::census {

enum class Kind : std::uint8_t {
  other,  // an instance of some class
  // asyncio
  task,
  future,
  python_task,  // python_task: asyncio's own class, where _asyncio is not used; no probe sees it
  handle,
  timer_handle,
  loop,
  transport,
  queue,
  sync,  // sync: lock, event, condition, semaphore, barrier
  coroutine,
  generator,
  async_generator,
  async_generator_step,  // step: asend(), athrow(), aclose() objects, anext() with a default
  coroutine_wrapper,
  future_iterator,
  task_wakeup,  // task_wakeup: TaskStepMethWrapper and alike
  // builtins
  list,
  tuple,
  dict,
  set,
  deque,
  str,
  bytes,
  bytearray,
  memoryview,
  array,  // array: of the module of that name
  simple_queue,
  integer,
  floating,
  none,
  module,
  type,
  function,
  method,
  builtin,
  cell,
  code,
  frame,
  weak_reference,
  partial,
};

// Kinds whose numbers are shown as counts.
[[nodiscard]] constexpr bool is_asyncio(Kind kind) { return kind >= Kind::task && kind <= Kind::async_generator; }

struct Type {
  std::uint64_t address = 0;
  std::string module;    // "asyncio.events"; empty: not known
  std::string qualname;  // "TimerHandle"
  Kind kind = Kind::other;
  std::uint64_t flags = 0;  // tp_flags, Include/object.h Py_TPFLAGS_*
  std::uint64_t base = 0, cached_keys = 0;
  std::int64_t basicsize = 0, itemsize = 0, dictoffset = 0;
  std::uint32_t index = 0;                 // 0, 1, ... in the order first seen
  [[nodiscard]] std::string name() const;  // "asyncio.events.TimerHandle"; builtins without "builtins."
};

// Include/object.h, equal from 3.8 (HEAPTYPE .. TYPE_SUBCLASS); 3.11 MANAGED_DICT; 3.13 INLINE_VALUES.
constexpr std::uint64_t type_inline_values = 1U << 2, type_managed_weakref = 1U << 3, type_managed_dict = 1U << 4,
                        type_heap = 1U << 9, type_have_gc = 1U << 14;

class TypeTable {
 public:
  explicit TypeTable(const Heap* heap);
  // Null: no type there. The result lives as long as the table.
  [[nodiscard]] const Type* at(std::uint64_t address);
  [[nodiscard]] const Type* of(std::uint64_t object);  // of the object's type field

 private:
  [[nodiscard]] std::unique_ptr<Type> read(std::uint64_t address);
  void name_it(Type& type, const std::string& name);

  const Heap* heap_;
  int depth_ = 0;  // of bases and metatypes being read: garbage can be a chain without end
  std::unordered_map<std::uint64_t, const Type*> known_;  // null: not a type
  std::vector<std::unique_ptr<Type>> types_;
};

}  // namespace asyncleak::census
