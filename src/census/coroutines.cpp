#include "census/coroutines.h"

#include "census/variables.h"
#include "python/delegation.h"
#include "python/objects.h"

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>

namespace asyncleak::census {
namespace {

using python::Delegation;

bool is_generator(const Type* type) {
  return type != nullptr &&
         (type->kind == Kind::coroutine || type->kind == Kind::generator || type->kind == Kind::async_generator);
}

bool has(const Heap& heap, std::uint32_t object_flag) { return (heap.objects.flags & object_flag) != 0; }

std::optional<std::int32_t> number(const Heap& heap, std::uint64_t address) {
  const auto value = heap.memory->value<std::int32_t>(address);
  return value ? std::optional(*value) : std::nullopt;
}

// Bytes from the start of the bytecode to the frame's instruction; negative: not started.
std::optional<std::int64_t> instruction_offset(const Heap& heap, std::uint64_t code, std::uint64_t frame) {
  const al_layout& layout = heap.layout;
  if ((layout.flags & AL_INSTR_IS_INDEX) != 0) {
    const auto index = number(heap, frame + layout.frame_instr);
    if (!index) return std::nullopt;
    return (layout.flags & AL_INSTR_IN_UNITS) != 0 ? std::int64_t{*index} * 2 : *index;
  }
  const auto instruction = heap.memory->value<std::uint64_t>(frame + layout.frame_instr);
  if (!instruction) return std::nullopt;
  const auto offset = static_cast<std::int64_t>(*instruction - (code + layout.code_start));
  // A thread's own copy of the bytecode lies elsewhere (AL_CODE_COPIES); so does what was torn.
  const auto units = static_cast<std::int64_t>(heap.word(code + layout.tuple_size));
  constexpr std::int64_t before_first = -2, most_units = 1 << 24;
  if (units < 0 || units > most_units || offset < before_first || offset >= units * 2) return std::nullopt;
  return offset;
}

// The instruction a generator goes on with, <= 3.12: the one after the last that ran.
std::optional<python::CodeUnit> next_unit(const Heap& heap, std::uint64_t code, std::uint64_t frame) {
  const auto offset = instruction_offset(heap, code, frame);
  if (!offset || *offset < 0) return std::nullopt;
  constexpr std::size_t unit_bytes = 2;
  std::uint64_t start = code + heap.layout.code_start;
  if ((heap.layout.flags & AL_INSTR_IS_INDEX) != 0) {
    const auto names = code + heap.objects.code_varnames;
    start = heap.word(names - python::code_bytes_before_varnames) + heap.layout.bytes_data;
  }
  const auto unit = heap.memory->value<python::CodeUnit>(start + static_cast<std::uint64_t>(*offset) + unit_bytes);
  return unit ? std::optional(*unit) : std::nullopt;
}

// Bounds of the frame's value stack, [first, second).
std::pair<std::uint64_t, std::uint64_t> value_stack(const Heap& heap, std::uint64_t code, std::uint64_t frame) {
  constexpr std::uint64_t slot_bytes = sizeof(std::uint64_t);
  const auto& where = heap.objects;
  const std::uint64_t locals = frame + where.frame_locals;
  std::uint64_t bottom = 0;
  std::uint64_t top = 0;
  if (where.frame_value_stack != AL_ABSENT) {
    bottom = heap.word(frame + where.frame_value_stack);
  } else {
    const auto slots = number(heap, code + where.code_nlocalsplus).value_or(-1);
    if (slots < 0) return {};
    bottom = locals + static_cast<std::uint64_t>(slots) * slot_bytes;
  }
  if (has(heap, python::obj_stack_index)) {
    const auto depth = number(heap, frame + where.frame_stacktop).value_or(0);
    if (depth < 0) return {};
    const std::uint64_t from = where.frame_value_stack != AL_ABSENT ? bottom : locals;
    top = from + static_cast<std::uint64_t>(depth) * slot_bytes;
  } else {
    top = heap.word(frame + where.frame_stacktop);
  }
  const auto limit = number(heap, code + where.code_stacksize).value_or(0);
  const bool sane = bottom < top && limit > 0 && top - bottom <= static_cast<std::uint64_t>(limit) * slot_bytes;
  return sane ? std::pair{bottom, top} : std::pair<std::uint64_t, std::uint64_t>{};
}

// The object of a local or stack slot; 0: none. Include/internal/pycore_stackref.h, 3.14+: bit 0 says who counts
// the reference, 3 in the low bits is an integer.
std::uint64_t slot_object(const Heap& heap, std::uint64_t slot) {
  if (!has(heap, python::obj_stack_tagged)) return slot;
  constexpr std::uint64_t tag_bits = 3, integer = 3;
  return (slot & tag_bits) == integer ? 0 : slot & ~tag_bits;
}

// The topmost object. 3.15 keeps an iterator in two slots, of which the upper is null or an index.
std::uint64_t stack_top(const Heap& heap, std::uint64_t code, std::uint64_t frame) {
  constexpr std::uint64_t slot_bytes = sizeof(std::uint64_t);
  const auto [bottom, top] = value_stack(heap, code, frame);
  constexpr int slots_of_an_iterator = 2;
  std::uint64_t at = top;
  for (int i = 0; i < slots_of_an_iterator && at > bottom; ++i) {
    at -= slot_bytes;
    const std::uint64_t object = slot_object(heap, heap.word(at));
    if (object != 0) return object;
  }
  return 0;
}

}  // namespace

std::uint64_t Coroutines::frame(std::uint64_t generator) const {
  const Heap& heap = objects_->heap();
  const std::uint64_t at = generator + heap.objects.gen_frame;
  return has(heap, python::obj_frame_embedded) ? at : heap.word(at);
}

GeneratorState Coroutines::state(std::uint64_t generator) const {
  const Heap& heap = objects_->heap();
  const auto& where = heap.objects;
  if (!is_generator(objects_->type_of(generator))) return GeneratorState::unknown;
  const bool in_object = has(heap, python::obj_gen_state);
  const std::uint64_t its_frame = frame(generator);
  if (!in_object && its_frame == 0) return GeneratorState::finished;
  if (!in_object && where.frame_state == AL_ABSENT) {  // <= 3.9
    const auto running = heap.memory->value<char>(generator + where.gen_running);
    const auto last = number(heap, its_frame + heap.layout.frame_instr);
    if (!running || !last) return GeneratorState::unknown;
    if (*running != 0) return GeneratorState::running;
    return *last < 0 ? GeneratorState::created : GeneratorState::suspended;
  }
  const auto byte =
      heap.memory->value<std::int8_t>(in_object ? generator + where.gen_state : its_frame + where.frame_state);
  if (!byte) return GeneratorState::unknown;
  const auto& is = where.states;
  if (*byte == is.created) return GeneratorState::created;
  if (*byte == is.suspended || *byte == is.suspended_yield_from) return GeneratorState::suspended;
  if (*byte == is.executing) return GeneratorState::running;
  return *byte == is.completed || *byte == is.cleared ? GeneratorState::finished : GeneratorState::unknown;
}

std::uint64_t Coroutines::code(std::uint64_t generator) const {
  const Heap& heap = objects_->heap();
  constexpr std::uint64_t tag_bits = 3;
  std::uint64_t code = heap.word(generator + heap.layout.coro_code);
  if ((heap.layout.flags & AL_CODE_TAGGED) != 0) code &= ~tag_bits;
  const Type* type = code == 0 ? nullptr : objects_->type_of(code);
  return type != nullptr && type->kind == Kind::code ? code : 0;
}

const CodeText* Coroutines::text_of_code(std::uint64_t code) const {
  const Heap& heap = objects_->heap();
  const al_layout& layout = heap.layout;
  const std::uint64_t file = heap.word(code + layout.code_filename);
  const auto name_at = layout.code_qualname == AL_ABSENT ? layout.code_name : layout.code_qualname;
  const std::uint64_t name = heap.word(code + name_at);
  const auto first_line = number(heap, code + layout.code_firstlineno);
  if (file == 0 || name == 0 || !first_line) return nullptr;
  const auto known = codes_.find(code);
  const bool same = known != codes_.end() && known->second.file == file && known->second.name == name &&
                    known->second.text.first_line == *first_line;
  if (same) return &known->second.text;
  constexpr std::size_t longest_path = 4096;
  auto path = objects_->text(file, longest_path);
  auto qualname = objects_->text(name);
  if (!path || !qualname) return nullptr;
  constexpr std::size_t most_codes = 1U << 16;  // more than any program has: addresses that were none
  if (codes_.size() >= most_codes) codes_.clear();
  auto& entry = codes_[code];
  entry = {file, name, {std::move(*qualname), std::move(*path), *first_line}};
  return &entry.text;
}

std::string Coroutines::qualname(std::uint64_t generator) const {
  const Heap& heap = objects_->heap();
  return objects_->text(heap.word(generator + heap.layout.coro_qualname)).value_or("");
}

std::optional<int> Coroutines::line(std::uint64_t code, std::uint64_t frame, int first_line) const {
  const Heap& heap = objects_->heap();
  const auto offset = instruction_offset(heap, code, frame);
  if (!offset) return std::nullopt;
  if (*offset < 0) return first_line;
  const auto table = python::read_line_table(*heap.memory, heap.layout, code);
  if (!table) return std::nullopt;
  return python::line_at(python::line_table_kind(heap.layout), *table, first_line, static_cast<std::uint32_t>(*offset));
}

std::optional<Frame> Coroutines::where(std::uint64_t generator) const {
  const std::uint64_t its_code = code(generator);
  const CodeText* text = its_code == 0 ? nullptr : text_of_code(its_code);
  if (text == nullptr) return std::nullopt;
  Frame out{qualname(generator), text->file, std::nullopt};
  if (out.function.empty()) out.function = text->qualname;
  const GeneratorState is = state(generator);
  if (is == GeneratorState::created) {
    out.line = text->first_line;
  } else if (is == GeneratorState::suspended || is == GeneratorState::running) {
    out.line = line(its_code, frame(generator), text->first_line);
  }
  return out;
}

bool Coroutines::delegates(std::uint64_t generator, std::uint64_t code, std::uint64_t frame) const {
  const Heap& heap = objects_->heap();
  const auto& where = heap.objects;
  const Delegation kind = python::delegation_kind(where);
  if (kind == Delegation::state) {
    const auto byte = heap.memory->value<std::int8_t>(generator + where.gen_state);
    return byte && *byte == where.states.suspended_yield_from;
  }
  // A coroutine is only ever suspended in an await.
  const Type* type = objects_->type_of(generator);
  if (type != nullptr && type->kind == Kind::coroutine) return true;
  const auto next = next_unit(heap, code, frame);
  return next && python::delegates(kind, *next);
}

std::uint64_t Coroutines::awaited(std::uint64_t generator) const {
  if (state(generator) != GeneratorState::suspended) return 0;
  const std::uint64_t its_code = code(generator);
  const std::uint64_t its_frame = frame(generator);
  if (its_code == 0 || its_frame == 0 || !delegates(generator, its_code, its_frame)) return 0;
  return stack_top(objects_->heap(), its_code, its_frame);
}

std::vector<Local> Coroutines::locals(std::uint64_t generator) const {
  const Heap& heap = objects_->heap();
  const GeneratorState is = state(generator);
  if (is != GeneratorState::created && is != GeneratorState::suspended) return {};
  auto variables = variables_of(*objects_, code(generator));
  std::vector<std::uint64_t> slots(variables.size());
  const std::uint64_t from = frame(generator) + heap.objects.frame_locals;
  if (!heap.memory->read(from, std::as_writable_bytes(std::span(slots)))) return {};
  std::vector<Local> out;
  for (std::size_t i = 0; i < slots.size(); ++i) {
    std::uint64_t object = slot_object(heap, slots[i]);
    const Type* type = object == 0 ? nullptr : objects_->type_of(object);
    if (variables[i].cell && type != nullptr && type->kind == Kind::cell) {
      object = heap.word(object + heap.objects.cell_value);
    }
    // <= 3.10: an argument that an inner function uses moves to a cell of the same name, its own slot is null.
    const auto argument = std::find_if(out.begin(), out.end(), [&](const Local& local) {
      return variables[i].cell && local.object == 0 && local.name == variables[i].name;
    });
    if (argument != out.end()) {
      argument->object = object;
    } else {
      out.push_back({std::move(variables[i].name), object});
    }
  }
  std::erase_if(out, [](const Local& local) { return local.object == 0; });
  return out;
}

}  // namespace asyncleak::census
