// Builds the objects of one CPython line in a fake process's memory, by its layout row: what the programs of bpf/
// read, without an interpreter. Nothing else is filled in: the rest is rubbish.
//
// Used by the tests through machine.h.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "asyncleak.h"
#include "fake_memory.h"
#include "python/table.h"

namespace asyncleak::fake {

using Address = std::uint64_t;

struct CodeText {
  std::u32string name = U"spawn";
  std::u32string qualname = U"Service.spawn";
  std::u32string file = U"/srv/app.py";
  std::uint32_t first_line = 7;
  std::string linetable = "\x04\x01\x08\x02";
};

// The keys of a dict of keyword arguments: str only, or any object (dk_kind, 3.11+).
enum class Keys { unicode, general };

class Python {
 public:
  // Where the image's symbols are at run time, and what the kernel side is told about the image.
  static constexpr std::uint64_t bias = 0x561234560000;
  Python(const python::LayoutRow& row, Memory& memory);
  [[nodiscard]] const al_layout& layout() const { return layout_; }
  [[nodiscard]] const python::LayoutRow& row() const { return row_; }
  // A fork reads and writes the child's own copy.
  void use(Memory& memory) { memory_ = &memory; }

  // Types of the image, and others.
  [[nodiscard]] Address tuple_type() const { return layout_.tuple_type + bias; }
  [[nodiscard]] Address coro_type() const { return layout_.coro_type + bias; }
  [[nodiscard]] Address gen_type() const { return layout_.gen_type + bias; }
  Address type(std::string_view name);
  Address object(Address type, std::size_t size = 16);

  // In the narrowest kind that holds it, as CPython does.
  Address str(std::u32string_view text);
  Address tuple(const std::vector<Address>& items);
  Address dict(const std::vector<Address>& values, Keys keys);
  Address code(const CodeText& text);
  // Another code object at the address of an old one.
  void code_at(Address address, const CodeText& text);
  Address coroutine(Address code, Address qualname, Address type);
  Address coroutine(Address code, Address qualname) { return coroutine(code, qualname, coro_type()); }

  // Frames: OFFSET in bytes into the bytecode. NEXT_TO: where the caller's ends on the data stack (3.11+); 0: apart.
  Address frame(Address code, std::uint32_t offset, Address back, Address next_to = 0);
  // The interpreter's entry from C, which runs no Python of its own; 0 where a line has none.
  Address entry_frame(Address back);
  [[nodiscard]] bool has_entry_frames() const { return layout_.frame_owner != AL_ABSENT; }

  Address add_interpreter();
  // In front of the list of INTERPRETER, as CPython adds them.
  Address add_thread(Address interpreter, std::uint64_t pthread);
  void set_pthread(Address thread, std::uint64_t pthread);
  void set_active(Address thread, bool active);
  // THREAD is in FRAME, and, where there is only one that can be, it is the current one.
  void run(Address thread, Address frame);

 private:
  [[nodiscard]] bool is(al_layout_flag flag) const { return (layout_.flags & flag) != 0; }
  Address bytes(std::string_view data);
  void put_frame(Address frame, Address code, std::uint64_t instr, Address back, std::uint8_t owner);

  python::LayoutRow row_;
  al_layout layout_;
  Memory* memory_;
};

}  // namespace asyncleak::fake
