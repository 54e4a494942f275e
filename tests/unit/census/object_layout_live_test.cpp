// Every field of a row against living interpreters: layout_facts.py tells what must stand where.
#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <vector>

#include "live_python.h"
#include "python/object_layout.h"

namespace asyncleak::census {
namespace {

using nlohmann::json;
using python::ObjectLayout;

std::string script() {
  std::ifstream file(TEST_DATA "/layout_facts.py");
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// Name -> offset, AL_ABSENT where this line has no such field.
std::map<std::string, std::int64_t> offsets_of(const Heap& heap) {
  const ObjectLayout& o = heap.objects;
  const al_layout& l = heap.layout;
  std::map<std::string, std::int64_t> all = {
      {"refcount", o.refcount},
      {"gc_bits", o.gc_bits},
      {"type_basicsize", o.type_basicsize},
      {"type_itemsize", o.type_itemsize},
      {"type_flags", o.type_flags},
      {"type_base", o.type_base},
      {"type_dict", o.type_dict},
      {"type_dictoffset", o.type_dictoffset},
      {"type_qualname", o.type_qualname},
      {"type_cached_keys", o.type_cached_keys},
      {"values_first", o.values_first},
      {"list_items", o.list_items},
      {"list_allocated", o.list_allocated},
      {"dict_used", o.dict_used},
      {"dict_values", o.dict_values},
      {"keys_size", o.keys_size},
      {"keys_log2_size", o.keys_log2_size},
      {"set_used", o.set_used},
      {"set_mask", o.set_mask},
      {"set_table", o.set_table},
      {"set_small_table", o.set_small_table},
      {"deque_left", o.deque_left},
      {"deque_right", o.deque_right},
      {"deque_left_index", o.deque_left_index},
      {"bytearray_alloc", o.bytearray_alloc},
      {"bytearray_start", o.bytearray_start},
      {"long_tag", o.long_tag},
      {"long_digits", o.long_digits},
      {"float_value", o.float_value},
      {"memoryview_base", o.memoryview_base},
      {"memoryview_shape", o.memoryview_shape},
      {"simple_queue_list", o.simple_queue_list},
      {"simple_queue_taken", o.simple_queue_taken},
      {"simple_queue_count", o.simple_queue_count},
      {"cell_value", o.cell_value},
      {"function_code", o.function_code},
      {"function_globals", o.function_globals},
      {"function_qualname", o.function_qualname},
      {"function_closure", o.function_closure},
      {"function_module", o.function_module},
      {"method_function", o.method_function},
      {"method_self", o.method_self},
      {"builtin_def", o.builtin_def},
      {"builtin_self", o.builtin_self},
      {"partial_function", o.partial_function},
      {"partial_args", o.partial_args},
      {"module_name", o.module_name},
      {"member_def", o.member_def},
      {"gen_frame", o.gen_frame},
      {"gen_exception", o.gen_exception},
      {"gen_state", o.gen_state},
      {"gen_running", o.gen_running},
      {"asend_generator", o.asend_generator},
      {"athrow_generator", o.athrow_generator},
      {"coroutine_wrapper_coroutine", o.coroutine_wrapper_coroutine},
      {"frame_locals", o.frame_locals},
      {"frame_state", o.frame_state},
      {"frame_value_stack", o.frame_value_stack},
      {"code_nlocalsplus", o.code_nlocalsplus},
      {"code_localsplusnames", o.code_localsplusnames},
      {"code_varnames", o.code_varnames},
      {"code_cellvars", o.code_cellvars},
      {"code_freevars", o.code_freevars},
      {"code_consts", o.code_consts},
      {"code_names", o.code_names},
      {"code_stacksize", o.code_stacksize},
      {"future_loop", o.future_loop},
      {"future_callback0", o.future_callback0},
      {"future_callbacks", o.future_callbacks},
      {"future_exception", o.future_exception},
      {"future_result", o.future_result},
      {"future_state", o.future_state},
      {"task_fut_waiter", o.task_fut_waiter},
      {"task_coro", o.task_coro},
      {"task_name", o.task_name},
      {"task_must_cancel", o.task_must_cancel},
      {"task_num_cancels", o.task_num_cancels},
      {"task_awaited_by", o.task_awaited_by},
      {"future_iter_future", o.future_iter_future},
      {"step_task", o.step_task},
      {"thread_running_loop", o.thread_running_loop},
      {"thread_running_task", o.thread_running_task},
      {"pool_size_class", o.pool_size_class},
      {"task_basicsize", o.task_basicsize},
      {"future_basicsize", o.future_basicsize},
      {"frame_code", l.frame_code},
      {"dict_keys", l.dict_keys},
      {"tuple_items", l.tuple_items},
      {"runtime_interpreters", l.runtime_interpreters},
      {"interp_threads", l.interp_threads},
  };
  const auto add_signed = [&](const char* name, std::int16_t offset) { all[name] = offset != 0 ? offset : AL_ABSENT; };
  add_signed("instance_values", o.instance_values);
  add_signed("instance_dict", o.instance_dict);
  return all;
}

const std::map<std::string, std::uint32_t> flags = {{"obj_gc_head", python::obj_gc_head},
                                                    {"obj_dict_by_offset", python::obj_dict_by_offset},
                                                    {"obj_values_pointer", python::obj_values_pointer},
                                                    {"obj_values_tagged", python::obj_values_tagged},
                                                    {"obj_values_inline", python::obj_values_inline},
                                                    {"obj_frame_embedded", python::obj_frame_embedded},
                                                    {"obj_gen_state", python::obj_gen_state},
                                                    {"obj_no_varnames", python::obj_no_varnames},
                                                    {"obj_long_tagged", python::obj_long_tagged}};

// One interpreter's facts, followed through its memory.
class Facts {
 public:
  explicit Facts(const LivePython& live) : heap_(&live.heap()), memory_(&live.memory()), offsets_(offsets_of(*heap_)) {}

  void check(const json& fact) {
    INFO(fact.dump());
    const std::string needs = fact.at("needs");
    const std::string unless = fact.at("unless");
    if (!needs.empty() && !has(needs)) return;
    if (!unless.empty() && has(unless)) return;
    const auto found = follow(fact.at("path"), fact.at("size"));
    if (!found) return;
    const auto mask = fact.at("mask").get<std::uint64_t>();
    const json& value = fact.at("value");
    if (value.is_string()) {
      CHECK(is_state(static_cast<std::int8_t>(*found), value));
    } else {
      const auto expected = value.is_array() ? follow(value, fact.at("size")) : std::optional(unsigned_of(value));
      REQUIRE(expected);
      CHECK((*found & mask) == *expected);
    }
    ++checked_;
  }

  [[nodiscard]] int checked() const { return checked_; }
  // Fields of this line that no fact was about.
  [[nodiscard]] std::vector<std::string> untouched() const {
    std::vector<std::string> names;
    for (const auto& [name, offset] : offsets_) {
      if (offset != AL_ABSENT && !used_.contains(name)) names.push_back(name);
    }
    return names;
  }

 private:
  static std::uint64_t unsigned_of(const json& value) {
    return value.is_number_unsigned() ? value.get<std::uint64_t>()
                                      : static_cast<std::uint64_t>(value.get<std::int64_t>());
  }

  [[nodiscard]] bool has(const std::string& flag) const { return (heap_->objects.flags & flags.at(flag)) != 0; }

  [[nodiscard]] std::uint64_t read(std::uint64_t address, std::size_t size = 8) const {
    std::uint64_t value = 0;
    INFO("reading " << size << " bytes at " << std::hex << address);
    REQUIRE(memory_->read(address, std::as_writable_bytes(std::span(&value, 1)).first(size)));
    return value;
  }

  [[nodiscard]] std::uint64_t untagged(std::uint64_t address) const {
    const std::uint64_t value = read(address);
    return (heap_->objects.flags & python::obj_stack_tagged) != 0 ? value & ~std::uint64_t{3} : value;
  }

  [[nodiscard]] bool is_state(std::int8_t found, const std::string& name) const {
    const auto& states = heap_->objects.states;
    constexpr std::int8_t none = 127;
    const std::map<std::string, std::vector<std::int8_t>> meant = {
        {"created", {states.created}},
        {"suspended", {states.suspended}},
        {"delegating", {states.suspended_yield_from == none ? states.suspended : states.suspended_yield_from}},
        {"executing", {states.executing}},
        {"cleared", {states.completed, states.cleared}}};
    CAPTURE(static_cast<int>(found));
    const auto& allowed = meant.at(name);
    return found != none && std::find(allowed.begin(), allowed.end(), found) != allowed.end();
  }

  // The first entry of a dict's keys: behind the table of indices.
  [[nodiscard]] std::uint64_t entries(std::uint64_t keys) const {
    const al_layout& layout = heap_->layout;
    std::uint64_t index_bytes = 0;
    if (heap_->objects.keys_size != AL_ABSENT) {
      constexpr std::uint64_t one_byte_indices = 255;
      index_bytes = read(keys + heap_->objects.keys_size);
      REQUIRE(index_bytes <= one_byte_indices);
    } else {
      index_bytes = 1ULL << read(keys + layout.keys_log2_index_bytes, 1);
    }
    return keys + layout.keys_indices + index_bytes;
  }

  // The object on top of the value stack of a suspended frame. 3.15 has an empty slot above an iterator.
  std::uint64_t awaited(std::uint64_t frame) {
    const ObjectLayout& objects = heap_->objects;
    const std::uint64_t word = frame + objects.frame_stacktop;
    std::uint64_t top = 0;
    if ((objects.flags & python::obj_stack_index) == 0) {
      top = read(word);
    } else if (objects.frame_value_stack != AL_ABSENT) {
      top = read(frame + objects.frame_value_stack) + 8 * read(word, 4);
    } else {
      top = frame + objects.frame_locals + 8 * read(word, 4);
    }
    const std::uint64_t topmost = untagged(top - 8);
    return topmost != 0 ? topmost : untagged(top - 16);
  }

  // nullopt: a field on the way is absent on this line.
  std::optional<std::uint64_t> follow(const json& path, std::size_t size) {
    std::uint64_t at = 0;
    for (const json& step : path) {
      if (step.is_number()) {
        at += unsigned_of(step);
        continue;
      }
      const std::string name = step;
      if (name == "*") {
        at = read(at);
      } else if (name == "runtime") {
        at = heap_->layout.runtime + heap_->bias;
      } else if (name == "pool") {
        at &= ~(std::uint64_t{heap_->objects.pool_bytes} - 1);
      } else if (name == "entries") {
        at = entries(at);
      } else if (name == "awaited") {
        at = awaited(at);
      } else if (name == "here") {
        return at;
      } else if (name == "untagged") {
        return untagged(at);
      } else if (name == "must_cancel") {
        const bool bit = (heap_->objects.flags & python::obj_must_cancel_bit) != 0;
        return bit ? (read(at, 1) & heap_->objects.must_cancel_mask) != 0 : read(at, 4) != 0;
      } else {
        const std::int64_t offset = offsets_.at(name);
        if (offset == AL_ABSENT) return std::nullopt;
        at += static_cast<std::uint64_t>(offset);
        used_.insert(name);
      }
    }
    return read(at, size);
  }

  const Heap* heap_;
  const python::RemoteMemory* memory_;
  std::map<std::string, std::int64_t> offsets_;
  std::set<std::string> used_;
  int checked_ = 0;
};

// The arena that ADDRESS lies in is in the interpreter's table of arenas.
bool in_an_arena(const Heap& heap, std::uint64_t address) {
  const auto& objects = heap.objects;
  std::uint64_t state = heap.word(heap.layout.runtime + heap.bias + heap.layout.runtime_interpreters);
  state += objects.interp_obmalloc;
  if ((objects.flags & python::obj_obmalloc_pointer) != 0) state = heap.word(state);
  const auto arenas = heap.word(state + objects.obmalloc_arenas);
  const auto count = heap.memory->value<std::uint32_t>(state + objects.obmalloc_max_arenas);
  REQUIRE(count);
  constexpr std::uint64_t arena_object_bytes = 48;
  constexpr std::uint64_t arena_bytes = 2 << 20;
  for (std::uint32_t i = 0; i < *count; ++i) {
    const auto start = heap.word(arenas + i * arena_object_bytes);
    if (start != 0 && start <= address && address < start + arena_bytes) return true;
  }
  return false;
}

TEST_CASE("every field of a row stands where the living interpreter says") {
  on_each_interpreter(script(), [](LivePython& live) {
    Facts facts(live);
    for (const json& fact : live.said().at("facts")) facts.check(fact);
    CHECK(facts.untouched().empty());
    for (const auto& name : facts.untouched()) WARN(live.version() << ": no fact about " << name);
    if ((live.heap().objects.flags & python::obj_arenas_in_interp) != 0) {
      CHECK(in_an_arena(live.heap(), live.id("small")));
    }
    if ((live.heap().objects.flags & python::obj_gc_head) != 0) {
      const auto pool = live.id("small") & ~(std::uint64_t{live.heap().objects.pool_bytes} - 1);
      const auto blocks = live.heap().memory->value<std::uint32_t>(pool + live.heap().objects.pool_count);
      REQUIRE(blocks);
      CHECK(*blocks > 0);
      CHECK(*blocks <= live.heap().objects.pool_bytes / 16);
    }
    CHECK(facts.checked() > 95);  // of all that a line has: 99 on 3.8, 108 on 3.13
  });
}

}  // namespace
}  // namespace asyncleak::census
