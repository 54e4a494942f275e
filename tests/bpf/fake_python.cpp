#include "fake_python.h"

#include <algorithm>

namespace asyncleak::fake {

namespace {

// Link-time addresses of a position independent image.
constexpr std::uint64_t code_type_at = 0x8a1000, tuple_type_at = 0x8a2000, coro_type_at = 0x8a3000,
                        gen_type_at = 0x8a4000, runtime_at = 0x8b0000, image_start = 0x8a0000, image_size = 0x20000;

// Larger than the struct of any line.
constexpr std::size_t type_size = 408, interpreter_size = 8192, thread_size = 512, frame_size = 400, dict_size = 64,
                      bytecode_size = 256;

// Tag bits of a _PyStackRef that borrows its object (Include/internal/pycore_stackref.h, 3.14).
constexpr std::uint64_t stackref_tag = 1;

}  // namespace

Python::Python(const python::LayoutRow& row, Memory& memory) : row_(row), layout_(row.layout), memory_(&memory) {
  layout_.code_type = code_type_at;
  layout_.tuple_type = tuple_type_at;
  layout_.coro_type = coro_type_at;
  layout_.gen_type = gen_type_at;
  layout_.runtime = runtime_at;
  layout_.position_independent = 1;
  memory.map(bias + image_start, image_size);
  memory.put<std::uint64_t>(bias + runtime_at + layout_.runtime_interpreters, 0);
  constexpr char coroutine_name[] = "coroutine";
  const Address name = memory.allocate(sizeof(coroutine_name));
  memory.write(name, coroutine_name, sizeof(coroutine_name));
  memory.put(coro_type() + layout_.type_name, name);
}

Address Python::object(Address type, std::size_t size) {
  const Address address = memory_->allocate(std::max<std::size_t>(size, layout_.ob_type + 8U));
  memory_->put(address + layout_.ob_type, type);
  return address;
}

Address Python::type(std::string_view name) {
  const Address text = memory_->allocate(name.size() + 1);
  memory_->write(text, std::string(name).c_str(), name.size() + 1);
  const Address address = memory_->allocate(type_size);
  memory_->put(address + layout_.type_name, text);
  return address;
}

// Include/cpython/unicodeobject.h: kind, compact and ascii follow each other in `state`; what comes before is set too.
Address Python::str(std::u32string_view text) {
  const char32_t widest = text.empty() ? U'\0' : *std::ranges::max_element(text);
  const std::uint32_t width = widest < 0x100 ? 1 : widest < 0x10000 ? 2 : 4;
  const bool ascii = widest < 0x80;
  constexpr std::uint32_t compact_bit = 8, ascii_bit = 16;
  const std::uint32_t interned = 1;
  const std::uint16_t data = ascii ? layout_.str_ascii_data : layout_.str_compact_data;
  const Address address = object(0, data + (text.size() + 1) * width);
  memory_->put<std::uint64_t>(address + layout_.str_length, text.size());
  memory_->put<std::uint32_t>(address + layout_.str_state, interned | (width | compact_bit | (ascii ? ascii_bit : 0))
                                                                          << layout_.str_kind_shift);
  for (std::size_t i = 0; i < text.size(); i++) memory_->write(address + data + i * width, &text[i], width);
  return address;
}

Address Python::bytes(std::string_view data) {
  const Address address = object(0, layout_.bytes_data + data.size() + 1);
  memory_->put<std::uint64_t>(address + layout_.bytes_size, data.size());
  memory_->write(address + layout_.bytes_data, data.data(), data.size());
  return address;
}

Address Python::tuple(const std::vector<Address>& items) {
  const Address address = object(tuple_type(), layout_.tuple_items + 8 * items.size());
  memory_->put<std::uint64_t>(address + layout_.tuple_size, items.size());
  memory_->write(address + layout_.tuple_items, items.data(), 8 * items.size());
  return address;
}

// Objects/dictobject.c: a table of 8 one-byte indices, then the entries in the order of insertion.
Address Python::dict(const std::vector<Address>& values, Keys keys) {
  constexpr std::uint64_t index_bytes = 8, entries = 5;
  const bool unicode = keys == Keys::unicode && layout_.keys_kind != AL_ABSENT;
  const std::uint64_t stride = unicode ? 16 : 24;
  const Address table = memory_->allocate(layout_.keys_indices + index_bytes + entries * stride);
  if (layout_.keys_log2_index_bytes != AL_ABSENT) memory_->put<std::uint8_t>(table + layout_.keys_log2_index_bytes, 3);
  if (layout_.keys_kind != AL_ABSENT) memory_->put<std::uint8_t>(table + layout_.keys_kind, unicode ? 1 : 0);
  memory_->put<std::uint64_t>(table + layout_.keys_entries_used, values.size());
  for (std::uint64_t i = 0; i < entries; i++) {
    const Address value = i < values.size() ? values[i] : 0;
    memory_->put(table + layout_.keys_indices + index_bytes + (i + 1) * stride - 8, value);
  }
  const Address address = object(0, dict_size);
  memory_->put(address + layout_.dict_keys, table);
  return address;
}

Address Python::code(const CodeText& text) {
  const Address address = memory_->allocate(row_.sizes.code + bytecode_size);
  code_at(address, text);
  return address;
}

void Python::code_at(Address address, const CodeText& text) {
  memory_->put(address + layout_.ob_type, layout_.code_type + bias);
  memory_->put(address + layout_.code_filename, str(text.file));
  memory_->put(address + layout_.code_name, str(text.name));
  if (layout_.code_qualname != AL_ABSENT) memory_->put(address + layout_.code_qualname, str(text.qualname));
  memory_->put(address + layout_.code_firstlineno, text.first_line);
  memory_->put(address + layout_.code_linetable, bytes(text.linetable));
}

Address Python::coroutine(Address code, Address qualname, Address type) {
  const Address address = object(type, row_.sizes.coro);
  memory_->put(address + layout_.coro_qualname, qualname);
  memory_->put(address + layout_.coro_code, is(AL_CODE_TAGGED) ? code | stackref_tag : code);
  return address;
}

void Python::put_frame(Address frame, Address code, std::uint64_t instr, Address back, std::uint8_t owner) {
  memory_->put(frame + layout_.frame_back, back);
  memory_->put(frame + layout_.frame_code, is(AL_CODE_TAGGED) ? code | stackref_tag : code);
  if (is(AL_INSTR_IS_INDEX)) {
    memory_->put(frame + layout_.frame_instr, static_cast<std::uint32_t>(instr));
  } else {
    memory_->put(frame + layout_.frame_instr, instr);
  }
  if (has_entry_frames()) memory_->put(frame + layout_.frame_owner, owner);
}

Address Python::frame(Address code, std::uint32_t offset, Address back, Address next_to) {
  Address address = next_to;
  if (address == 0) {
    address = memory_->allocate(frame_size, 8);
  } else {
    memory_->map(address, frame_size);
  }
  std::uint64_t instr = code + layout_.code_start + offset;
  if (is(AL_INSTR_IS_INDEX)) instr = is(AL_INSTR_IN_UNITS) ? offset / 2 : offset;
  put_frame(address, code, instr, back, 0);
  return address;
}

Address Python::entry_frame(Address back) {
  const Address address = memory_->allocate(frame_size, 8);
  put_frame(address, code({}), 0, back, static_cast<std::uint8_t>(layout_.frame_owner_c));
  return address;
}

Address Python::add_interpreter() {
  const Address head = layout_.runtime + bias + layout_.runtime_interpreters;
  const Address address = memory_->allocate(interpreter_size);
  memory_->put(address + layout_.interp_next, memory_->get<Address>(head));
  memory_->put<Address>(address + layout_.interp_threads, 0);
  memory_->put(head, address);
  return address;
}

Address Python::add_thread(Address interpreter, std::uint64_t pthread) {
  const Address address = memory_->allocate(thread_size);
  memory_->put(address + layout_.thread_next, memory_->get<Address>(interpreter + layout_.interp_threads));
  memory_->put(interpreter + layout_.interp_threads, address);
  set_pthread(address, pthread);
  set_active(address, true);
  return address;
}

void Python::set_pthread(Address thread, std::uint64_t pthread) { memory_->put(thread + layout_.thread_id, pthread); }

void Python::set_active(Address thread, bool active) {
  if (layout_.thread_status == AL_ABSENT) return;
  const std::uint32_t others = ~static_cast<std::uint32_t>(layout_.thread_active_mask);
  memory_->put(thread + layout_.thread_status, active ? ~0U : others);
}

void Python::run(Address thread, Address frame) {
  Address at = frame;
  if (is(AL_FRAME_INDIRECT)) {
    at = memory_->allocate(32);
    memory_->put(at + layout_.cframe_current, frame);
  }
  memory_->put(thread + layout_.thread_frame, at);
  if (is(AL_TSTATE_GLOBAL)) memory_->put(layout_.runtime + bias + layout_.runtime_tstate_current, thread);
}

}  // namespace asyncleak::fake
