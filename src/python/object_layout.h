// Where one build of CPython keeps the fields that only user space reads: objects, containers, frames,
// asyncio's own objects, the allocator.
//
// Filled by object_layouts.inc (tools/gen-layouts) and checked against the build (object_layout.cpp);
// used by src/census. al_layout (bpf/asyncleak.h) has what the kernel side reads too.
// All offsets are bytes from the object's own address; AL_ABSENT = this line has no such field (the signed
// ones: 0). Code asks flags and fields, never a version.
#pragma once

#include <linux/types.h>  // before asyncleak.h, which takes __u64 from whoever includes it

#include "asyncleak.h"
#include "elf/task_fields.h"
#include "util/result.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace asyncleak::python {

enum ObjectFlag : std::uint32_t {
  obj_gc_head = 1U << 0,            // a PyGC_Head before each collected object (not in free-threaded builds)
  obj_dict_by_offset = 1U << 1,     // __dict__ by tp_dictoffset alone (<= 3.10)
  obj_values_pointer = 1U << 2,     // pointer to the values at instance_values (3.11)
  obj_values_tagged = 1U << 3,      // one word: dict pointer, or values - 1 with bit 0 set (3.12)
  obj_values_inline = 1U << 4,      // values follow the object, at tp_basicsize (3.13+)
  obj_frame_embedded = 1U << 5,     // the generator holds its frame (3.11+); else a pointer to a frame object
  obj_stack_index = 1U << 6,        // frame_stacktop is an int index from frame_locals (3.10: from the value stack)
  obj_stack_tagged = 1U << 7,       // stack and local slots carry tag bits 0..1 (_PyStackRef, 3.14+)
  obj_must_cancel_bit = 1U << 8,    // must_cancel is a bit of the byte at task_must_cancel (3.13+), else an int
  obj_gen_state = 1U << 9,          // gen_state says created/suspended/running (3.11+)
  obj_no_varnames = 1U << 10,       // local names in code_localsplusnames (3.11+), else varnames, cellvars, freevars
  obj_long_tagged = 1U << 11,       // int: long_tag holds digits count << 3 and sign (3.12+), else ob_size
  obj_arenas_in_interp = 1U << 12,  // pymalloc's state belongs to the interpreter (3.12+), else static variables
  obj_obmalloc_pointer = 1U << 13,  // ... and is reached by a pointer (3.13+)
};

// Values of the generator state byte (gen_state; 3.10: frame_state), from Include/internal/pycore_frame.h FRAME_*.
// In free-threaded builds of 3.15 a suspended one can for a moment be in a state of none of these.
struct GeneratorStates {
  std::int8_t created, suspended, suspended_yield_from, executing, completed, cleared;
};

struct ObjectLayout {
  std::uint32_t flags;
  GeneratorStates states;         // unused values: 127
  std::uint8_t must_cancel_mask;  // with obj_must_cancel_bit

  // PyObject, PyVarObject
  std::uint16_t refcount;  // its low 32 bits; free-threaded: ob_ref_local
  std::uint16_t gc_bits;   // u8, bit 0 = tracked; free-threaded builds only
  // PyTypeObject, PyHeapTypeObject
  std::uint16_t type_basicsize, type_itemsize, type_flags, type_base, type_dict, type_dictoffset;
  std::uint16_t type_qualname, type_cached_keys;
  // Instances, relative to the object (negative): see the obj_values_ flags
  std::int16_t instance_values, instance_dict;
  std::uint16_t values_first;  // first value within the values struct
  // Containers
  std::uint16_t list_items, list_allocated;
  std::uint16_t dict_used, dict_values, keys_size, keys_log2_size;  // keys_size: dk_size (<= 3.10)
  std::uint16_t set_used, set_mask, set_table, set_small_table;     // entries: 16 bytes, key first
  std::uint16_t deque_left, deque_right, deque_left_index;          // block: left link, 64 items, right link
  std::uint16_t bytearray_alloc, bytearray_start;
  std::uint16_t long_tag, long_digits, float_value;
  std::uint16_t memoryview_base, memoryview_shape;  // PyMemoryViewObject.view: obj, shape
  // Modules/_queuemodule.c: a list and how much of it is taken already (<= 3.12), or a count
  std::uint16_t simple_queue_list, simple_queue_taken, simple_queue_count;
  // Callables and friends
  std::uint16_t cell_value, function_code, function_globals, function_qualname, function_closure, function_module;
  std::uint16_t method_function, method_self, builtin_def, builtin_self, partial_function, partial_args;
  std::uint16_t module_name;
  std::uint16_t member_def;  // member_descriptor: d_member; PyMemberDef: name 0, type 8, offset 16
  // Generators, coroutines, async generators share one head
  std::uint16_t gen_frame;               // pointer, or the embedded frame
  std::uint16_t gen_state, gen_running;  // gen_running: char, <= 3.9 (3.10 keeps it in frame_state)
  std::uint16_t gen_exception;           // the one its code is handling, None or null: none (3.11+)
  std::uint16_t asend_generator, athrow_generator, coroutine_wrapper_coroutine;
  // Frames. Code and instruction are in al_layout.
  std::uint16_t frame_locals, frame_stacktop, frame_state, frame_value_stack;
  // Code
  std::uint16_t code_nlocalsplus, code_localsplusnames, code_varnames;
  std::uint16_t code_cellvars, code_freevars, code_consts, code_names, code_stacksize;
  // Modules/_asynciomodule.c: FutureObj, TaskObj (its head is a FutureObj), futureiter, TaskStepMethWrapper
  std::uint16_t future_loop, future_callback0, future_callbacks, future_exception, future_result, future_state;
  std::uint16_t task_fut_waiter, task_coro, task_name, task_must_cancel, task_num_cancels, task_awaited_by;
  std::uint16_t future_iter_future, step_task;
  // Interpreter state
  std::uint16_t thread_running_loop, thread_running_task;  // of _PyThreadStateImpl; 3.13+, 3.14+
  std::uint32_t interp_obmalloc;                           // obj_arenas_in_interp
  std::uint16_t obmalloc_arenas, obmalloc_max_arenas;      // from the obmalloc state
  std::uint32_t pool_bytes;                                // 4096 (<= 3.9), 16384; 0: no pymalloc (free-threaded)
  std::uint16_t pool_count, pool_size_class;               // u32 in the pool's header
  std::uint32_t task_basicsize, future_basicsize;          // tp_basicsize of _asyncio.Task and Future: the row's print
};

struct ObjectLayoutRow {
  int minor;
  bool free_threaded;
  ObjectLayout layout;
};

[[nodiscard]] std::span<const ObjectLayoutRow> object_layout_rows();
[[nodiscard]] const ObjectLayoutRow* find_object_row(int minor, bool free_threaded);

// "this interpreter's layout is not known; tasks are counted, census off", and why.
[[nodiscard]] Error unknown_objects(std::string_view why = {});

// One field in the interpreter's own _Py_DebugOffsets (python/table.h): the 64-bit word that has it.
struct ObjectDebugField {
  std::string_view name;
  std::uint16_t ObjectLayout::*member;
  std::uint16_t word;
};
[[nodiscard]] std::span<const ObjectDebugField> object_debug_fields(int minor);  // empty: not known
[[nodiscard]] std::size_t object_debug_word_count(int minor);

struct ObjectComparison {
  ObjectLayout layout;  // the row's, with everything the debug offsets cover replaced
  int equal = 0;
  std::vector<std::string> differences;  // "list_items 32, row has 24"
};
// Error: an offset outside the words given, or too large to be one.
[[nodiscard]] Result<ObjectComparison> apply_object_debug_offsets(const ObjectLayoutRow& row,
                                                                  std::span<const std::uint64_t> words);

// ROW for processes that run this build of _asyncio: what .AsyncioDebug says of the thread state is preferred.
// Error: the build contradicts the row (sizes of Task and Future, fields that its getters read, .AsyncioDebug).
[[nodiscard]] Result<ObjectLayout> fit_task_fields(const ObjectLayout& row, const elf::TaskFields& fields);

}  // namespace asyncleak::python
