#include "fake_heap.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace asyncleak::fuzz {
namespace {

constexpr Address base = 0x100000;
constexpr std::size_t heap_bytes = 96 << 10;
constexpr std::size_t word = sizeof(std::uint64_t);
constexpr std::uint64_t heap_type = 1U << 9, managed_dict = 1U << 4, inline_values = 1U << 2, collected = 1U << 14;

constexpr std::uint64_t is_int = 1U << 24, is_list = 1U << 25, is_tuple = 1U << 26, is_bytes = 1U << 27,
                        is_str = 1U << 28, is_dict = 1U << 29, is_type = std::uint64_t{1} << 31;

}  // namespace

FakeHeap::FakeHeap(const al_layout& layout, const python::ObjectLayout& objects)
    : layout_(layout), where_(objects), next_(base + 64), bytes_(heap_bytes) {
  make_types();
  make_values();
  make_instances();
  make_callables();
  make_generators();
  make_tasks();
}

Result<void> FakeHeap::read(Address address, std::span<std::byte> out) const {
  constexpr std::size_t reads_per_patch = 16;
  if (++reads_ % reads_per_patch == 0 && reads_ / reads_per_patch <= late_.size()) {
    apply(late_[reads_ / reads_per_patch - 1]);
  }
  if (address < base || address > base + bytes_.size() || out.size() > base + bytes_.size() - address) {
    return fail("not mapped");
  }
  std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(address - base), out.size(), out.begin());
  return {};
}

void FakeHeap::patch(std::span<const std::uint8_t> patches) {
  for (; patches.size() >= 4; patches = patches.subspan(4)) {
    constexpr std::uint8_t later = 0x80;
    const std::size_t index = patches[0] | std::size_t{patches[1]} << 8;
    const Patch patch{index % ((next_ - base) / word), patches[2], patches[3]};
    if ((patch.operation & later) != 0) {
      late_.push_back(patch);
    } else {
      apply(patch);
    }
  }
}

void FakeHeap::apply(const Patch& patch) const {
  std::byte* const at = bytes_.data() + patch.word * word;
  std::uint64_t value = 0;
  std::memcpy(&value, at, word);
  constexpr unsigned operations = 8;
  switch (patch.operation % operations) {
    case 0:
      value = made_[patch.argument % made_.size()];
      break;
    case 1:
      value = patch.argument;
      break;
    case 2:
      value = std::uint64_t{1} << patch.argument % 64;
      break;
    case 3:
      value = ~std::uint64_t{patch.argument};
      break;
    case 4:
      value += std::uint64_t{patch.argument} * word;
      break;
    case 5:
      value -= std::uint64_t{patch.argument};
      break;
    case 6:
      value ^= std::uint64_t{1} << patch.argument % 64;
      break;
    default:
      value = base + patch.word * word;
      break;
  }
  std::memcpy(at, &value, word);
}

template <class T>
void FakeHeap::put(Address address, T value) {
  std::memcpy(bytes_.data() + (address - base), &value, sizeof value);
}

Address FakeHeap::allocate(std::size_t bytes, std::size_t before) {
  const Address at = (next_ + before + 15) / 16 * 16;
  next_ = at + bytes;
  if (next_ > base + bytes_.size()) std::abort();  // this file's own arithmetic
  return at;
}

Address FakeHeap::allocate_words(const std::vector<Address>& words) {
  const Address at = allocate(words.size() * word);
  for (std::size_t i = 0; i < words.size(); ++i) put(at + i * word, words[i]);
  return at;
}

Address FakeHeap::object(std::string_view type, std::size_t bytes) {
  constexpr std::size_t before = 32;  // the collector's head, and a managed dict
  const Address at = allocate(bytes, before);
  put(at + layout_.ob_type, types_.find(type)->second);
  made_.push_back(at);
  return at;
}

Address FakeHeap::type(std::string_view name, std::uint64_t flags, std::size_t basicsize, std::size_t itemsize) {
  const std::size_t bytes = where_.type_cached_keys + 64U;
  const Address at = allocate(bytes);
  const Address text = allocate(name.size() + 1);
  std::memcpy(bytes_.data() + (text - base), name.data(), name.size());
  types_.emplace(name, at);
  put(at + layout_.ob_type, types_.find("type")->second);
  put(at + layout_.type_name, text);
  put(at + where_.type_flags, flags);
  put(at + where_.type_basicsize, basicsize);
  put(at + where_.type_itemsize, itemsize);
  made_.push_back(at);
  return at;
}

void FakeHeap::make_types() {
  constexpr std::size_t large = 64;
  type("type", is_type, large);
  type("str", is_str, large);
  type("int", is_int, where_.long_digits, sizeof(std::uint32_t));
  type("bytes", is_bytes, layout_.bytes_data + 1U, 1);
  type("list", is_list | collected, where_.list_allocated + word);
  type("tuple", is_tuple | collected, layout_.tuple_items, word);
  type("dict", is_dict | collected, where_.dict_values + word);
  for (const char* name : {"float",
                           "bytearray",
                           "set",
                           "frozenset",
                           "collections.deque",
                           "module",
                           "function",
                           "method",
                           "builtin_function_or_method",
                           "cell",
                           "code",
                           "frame",
                           "coroutine",
                           "generator",
                           "async_generator",
                           "async_generator_asend",
                           "coroutine_wrapper",
                           "functools.partial",
                           "weakref",
                           "memoryview",
                           "NoneType",
                           "member_descriptor",
                           "array.array",
                           "_io.BytesIO",
                           "_asyncio.Task",
                           "_asyncio.Future",
                           "FutureIter",
                           "TaskStepMethWrapper",
                           "collections.OrderedDict"}) {
    type(name, collected, large);
  }
}

Address FakeHeap::str(std::string_view text) {
  const Address at = object("str", layout_.str_ascii_data + text.size() + 1);
  constexpr std::uint32_t kind_1_compact_ascii = 1 | 8 | 16;
  put(at + layout_.str_length, text.size());
  put(at + layout_.str_state, kind_1_compact_ascii << layout_.str_kind_shift);
  std::memcpy(bytes_.data() + (at + layout_.str_ascii_data - base), text.data(), text.size());
  return at;
}

Address FakeHeap::tuple(const std::vector<Address>& items) {
  const Address at = object("tuple", layout_.tuple_items + items.size() * word);
  put(at + layout_.tuple_size, items.size());
  for (std::size_t i = 0; i < items.size(); ++i) put(at + layout_.tuple_items + i * word, items[i]);
  return at;
}

// Eight slots: one byte each in the index table, room for five entries.
Address FakeHeap::keys(const std::vector<Address>& names, const std::vector<Address>& values, bool shared) {
  constexpr std::size_t slots = 8, log2_slots = 3, room = 5;
  const bool general = layout_.keys_kind == AL_ABSENT;
  const std::size_t entry_bytes = general ? 3 * word : 2 * word;
  const Address at = allocate(layout_.keys_indices + slots + room * entry_bytes);
  put(at, std::uint64_t{1});
  if (layout_.keys_log2_index_bytes == AL_ABSENT) {
    put(at + where_.keys_size, std::uint64_t{slots});
  } else {
    put_byte(at + where_.keys_log2_size, log2_slots);
    put_byte(at + layout_.keys_log2_index_bytes, log2_slots);
    put_byte(at + layout_.keys_kind, shared ? 2 : 1);
  }
  put(at + layout_.keys_entries_used - word, room - names.size());
  put(at + layout_.keys_entries_used, names.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    const Address entry = at + layout_.keys_indices + slots + i * entry_bytes + (general ? word : 0);
    put(entry, names[i]);
    if (!shared) put(entry + word, values[i]);
  }
  return at;
}

Address FakeHeap::dict(const std::vector<Address>& names, const std::vector<Address>& values) {
  const Address at = object("dict", where_.dict_values + word);
  put(at + where_.dict_used, names.size());
  put(at + layout_.dict_keys, keys(names, values, false));
  return at;
}

void FakeHeap::make_values() {
  text_ = str("some text");
  const Address number = object("int", where_.long_digits + word);
  put(number + where_.long_tag, std::uint64_t{(where_.flags & python::obj_long_tagged) != 0 ? 2U << 3 : 2U});
  put(number + where_.long_digits, std::uint64_t{5} << 32 | 7);
  const Address real = object("float", where_.float_value + word);
  put(real + where_.float_value, 2.5);
  const Address bytes = object("bytes", layout_.bytes_data + word);
  put(bytes + layout_.bytes_size, std::uint64_t{5});
  const Address array = object("bytearray", where_.bytearray_start + 3 * word);
  put(array + layout_.tuple_size, std::uint64_t{4});
  put(array + where_.bytearray_alloc, std::uint64_t{6});
  put(array + where_.bytearray_start, text_);
  list_ = object("list", where_.list_allocated + word);
  put(list_ + layout_.tuple_size, std::uint64_t{4});
  put(list_ + where_.list_allocated, std::uint64_t{4});
  const Address fields = tuple({number, list_});
  const Address entries = dict({text_, str("key"), str("loop")}, {list_, fields, number});
  put(list_ + where_.list_items, allocate_words({text_, real, entries, list_}));
  const Address set = object("set", where_.set_small_table + 16 * word);
  put(set + where_.set_used, std::uint64_t{2});
  put(set + where_.set_mask, std::uint64_t{7});
  put(set + where_.set_table, set + where_.set_small_table);
  put(set + where_.set_small_table, text_);
  put(set + where_.set_small_table + 4 * word, number);
  const Address deque = object("collections.deque", where_.deque_left_index + 5 * word);
  constexpr std::size_t items = 64, first = 62;
  std::vector<Address> left(items + 2, text_), right(items + 2, entries);
  right.back() = 0;
  left.back() = allocate_words(right);
  put(deque + where_.deque_left, allocate_words(left));
  put(deque + where_.deque_right, left.back());
  put(deque + layout_.tuple_size, std::uint64_t{5});
  put(deque + where_.deque_left_index, std::uint64_t{first});
  const Address view = object("memoryview", where_.memoryview_shape + 2 * word);
  put(view + where_.memoryview_base, array);
  put(view + where_.memoryview_shape, view + where_.memoryview_shape + word);
  const Address queue = object("_queue.SimpleQueue", 8 * word);
  if (where_.simple_queue_list != AL_ABSENT) put(queue + where_.simple_queue_list, list_);
  const Address numbers = object("array.array", layout_.tuple_size + 6 * word);
  put(numbers + layout_.tuple_size + 2 * word, std::uint64_t{10});
  put(numbers + layout_.tuple_size + 3 * word, allocate_words({std::uint64_t{8} << 32}));
}

Address FakeHeap::class_of(std::string_view name, std::uint64_t flags, std::size_t basicsize, Address dict,
                           Address its_base) {
  const Address at = type(name, flags | heap_type | collected, basicsize);
  put(at + where_.type_dict, dict);
  put(at + where_.type_base, its_base);
  put(at + where_.type_qualname, str(name));
  return at;
}

void FakeHeap::make_instances() {
  const std::size_t head = layout_.tuple_size;
  const Address name = str("attribute"), module = str("__module__");
  const Address plain_class = class_of("Plain", managed_dict | inline_values, head, dict({module}, {str("app")}));
  put(plain_class + where_.type_cached_keys, keys({name}, {}, true));
  const bool by_offset = (where_.flags & python::obj_dict_by_offset) != 0;
  const Address plain = object("Plain", head + 8 * word);
  if (by_offset) {
    put(plain_class + where_.type_dictoffset, head);
    put(plain + head, dict({name}, {list_}));
  } else if ((where_.flags & python::obj_values_inline) != 0) {
    put(plain + head + where_.values_first, list_);
  } else {
    const Address values = allocate_words({list_, 0, 0, 0, 0});
    const auto at = static_cast<std::uint64_t>(static_cast<std::int64_t>(where_.instance_values));
    put(plain + at, (where_.flags & python::obj_values_tagged) != 0 ? values - 1 : values);
  }
  const Address descriptor = object("member_descriptor", where_.member_def + word);
  constexpr std::uint64_t object_member = 16;
  put(descriptor + where_.member_def, allocate_words({0, object_member, head}));
  class_of("Slotted", 0, head + word, dict({str("slot")}, {descriptor}), plain_class);
  put(object("Slotted", head + word) + head, plain);
  const Address events = dict({module}, {str("asyncio.events")});
  class_of("Handle", 0, head + word, events);
  object("Handle", head + word);
}

void FakeHeap::make_callables() {
  constexpr std::size_t large = 256;
  code_ = object("code", layout_.code_start == AL_ABSENT ? large : layout_.code_start + large);
  put(code_ + layout_.code_filename, str("/srv/app.py"));
  put(code_ + layout_.code_name, str("serve"));
  if (layout_.code_qualname != AL_ABSENT) put(code_ + layout_.code_qualname, str("App.serve"));
  put_int(code_ + layout_.code_firstlineno, 10);
  const Address table = object("bytes", layout_.bytes_data + 2 * word);
  put(table + layout_.bytes_size, std::uint64_t{4});
  put(table + layout_.bytes_data, std::uint32_t{0x02080104});
  put(code_ + layout_.code_linetable, table);
  constexpr std::int32_t slots = 3;
  put_int(code_ + where_.code_stacksize, slots);
  const Address names = tuple({str("self"), str("local"), str("cell")});
  if (where_.code_localsplusnames != AL_ABSENT) {
    put_int(code_ + where_.code_nlocalsplus, slots);
    put(code_ + where_.code_localsplusnames, names);
    put(code_ + where_.code_localsplusnames + word, table);
  } else {
    put(code_ + where_.code_varnames, names);
    put(code_ + where_.code_cellvars, tuple({str("cell")}));
    put(code_ + where_.code_freevars, tuple({}));
  }
  const Address cell = object("cell", where_.cell_value + word);
  put(cell + where_.cell_value, list_);
  function_ = object("function", large);
  put(function_ + where_.function_code, code_);
  put(function_ + where_.function_qualname, str("App.serve"));
  put(function_ + where_.function_closure, tuple({cell}));
  const Address method = object("method", large);
  put(method + where_.method_function, function_);
  put(method + where_.method_self, list_);
  const Address partial = object("functools.partial", large);
  put(partial + where_.partial_function, method);
  put(partial + where_.partial_args, tuple({text_}));
  object("weakref", large);
  put(object("module", large) + where_.module_name, text_);
  object("NoneType", large);
}

Address FakeHeap::generator(std::string_view type, Address awaited) {
  constexpr std::size_t large = 256;
  const Address at = object(type, where_.gen_frame + large);
  put(at + layout_.coro_qualname, text_);
  put(at + layout_.coro_code, code_);
  Address frame = at + where_.gen_frame;
  if ((where_.flags & python::obj_frame_embedded) == 0) {
    frame = object("frame", where_.frame_locals + large);
    put(at + where_.gen_frame, frame);
    put_int(frame + layout_.frame_instr, 2);
  } else {
    put(frame + layout_.frame_instr, code_ + layout_.code_start + 2);
  }
  put(frame + layout_.frame_code, code_);
  const auto suspended =
      where_.states.suspended_yield_from != 127 ? where_.states.suspended_yield_from : where_.states.suspended;
  if (where_.gen_state != AL_ABSENT) put(at + where_.gen_state, suspended);
  if (where_.frame_state != AL_ABSENT) put(frame + where_.frame_state, suspended);
  constexpr std::size_t slots = 3;
  const std::array<Address, slots + 1> values = {list_, text_, 0, awaited};
  for (std::size_t i = 0; i < values.size(); ++i) put(frame + where_.frame_locals + i * word, values[i]);
  const Address stack = frame + where_.frame_locals + slots * word;
  if (where_.frame_value_stack != AL_ABSENT) put(frame + where_.frame_value_stack, stack);
  if ((where_.flags & python::obj_stack_index) != 0) {
    put_int(frame + where_.frame_stacktop, where_.frame_value_stack != AL_ABSENT ? 1 : slots + 1);
  } else {
    put(frame + where_.frame_stacktop, stack + word);
  }
  return at;
}

void FakeHeap::make_generators() {
  const Address inner = generator("coroutine", list_);
  const Address wrapper = object("coroutine_wrapper", where_.coroutine_wrapper_coroutine + word);
  put(wrapper + where_.coroutine_wrapper_coroutine, inner);
  const Address agen = generator("async_generator", wrapper);
  const Address step = object("async_generator_asend", where_.asend_generator + 4 * word);
  put(step + where_.asend_generator, agen);
  generator("generator", step);
}

void FakeHeap::make_tasks() {
  constexpr std::size_t large = 64;
  const Address future = object("_asyncio.Future", where_.future_basicsize + large);
  const Address iterator = object("FutureIter", where_.future_iter_future + word);
  put(iterator + where_.future_iter_future, future);
  const Address task = object("_asyncio.Task", where_.task_basicsize + large);
  put(task + where_.task_coro, generator("coroutine", iterator));
  put(task + where_.task_fut_waiter, future);
  put(task + where_.task_name, text_);
  put(task + where_.future_result, list_);
  const Address wakeup = object("TaskStepMethWrapper", where_.step_task + word);
  put(wakeup + where_.step_task, task);
  put(future + where_.future_callback0, wakeup);
  put(future + where_.future_callbacks, list_);
  put(future + where_.future_result, list_);
}

}  // namespace asyncleak::fuzz
