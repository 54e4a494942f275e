#include <catch2/catch.hpp>
#include <cstring>
#include <map>

#include "python/interpreter.h"
#include "python/table.h"

namespace asyncleak::python {
namespace {

constexpr std::uint64_t bias = 0x7f0000000000;
constexpr std::uint64_t runtime = 0x100000, code_type = 0x200000;  // link time
constexpr std::uint64_t interp = 0x10000000, thread = 0x10100000, cframe = 0x10200000, frame = 0x10300000,
                        code = 0x10400000, file_name = 0x10500000, control_block = 0x10600000;

// Zeroed pages with a smallest possible interpreter in them, laid out by one row.
class FakePython final : public RemoteMemory {
 public:
  explicit FakePython(const al_layout& layout) : layout_(layout) {
    put(runtime + bias + layout.runtime_interpreters, interp);
    put(interp + layout.interp_threads, thread);
    put(thread + layout.thread_id, control_block);
    put(control_block, control_block);
    const bool indirect = (layout.flags & AL_FRAME_INDIRECT) != 0;
    put(thread + layout.thread_frame, indirect ? cframe : frame);
    if (indirect) put(cframe + layout.cframe_current, frame);
    put(frame + layout.frame_code, (layout.flags & AL_CODE_TAGGED) != 0 ? code | 1 : code);
    put(code + layout.ob_type, code_type + bias);
    put(code + layout.code_filename, file_name);
    put_u32(code + layout.code_firstlineno, 7);
    put(file_name + layout.str_length, 5);
    constexpr std::uint32_t kind_1_compact_ascii = 1 | 8 | 16;
    put_u32(file_name + layout.str_state, kind_1_compact_ascii << layout.str_kind_shift);
    put(file_name + layout.str_ascii_data, 0x79702e78);  // "x.py"
  }

  void put(std::uint64_t address, std::uint64_t value) { write(address, &value, sizeof value); }
  void put_u32(std::uint64_t address, std::uint32_t value) { write(address, &value, sizeof value); }

  [[nodiscard]] Result<void> read(std::uint64_t address, std::span<std::byte> out) const override {
    for (std::byte& byte : out) {
      const auto page = pages_.find(address / page_size);
      if (page == pages_.end()) return fail("no such memory");
      byte = page->second[address++ % page_size];
    }
    return {};
  }

  [[nodiscard]] std::string check(const al_layout& layout) const {
    Interpreter interpreter{{3, 0, 0, false, "3.0"}, layout, LayoutSource::table, ""};
    interpreter.layout.runtime = runtime;
    interpreter.layout.code_type = code_type;
    const auto result = check_live(interpreter, *this, bias);
    if (!result) return result.error().message;
    return *result == Fit::checked ? "" : "not now";
  }
  [[nodiscard]] std::string check() const { return check(layout_); }

 private:
  static constexpr std::uint64_t page_size = 65536;

  void write(std::uint64_t address, const void* data, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i) {
      auto& page = pages_[(address + i) / page_size];
      page.resize(page_size);
      page[(address + i) % page_size] = static_cast<const std::byte*>(data)[i];
    }
  }

  al_layout layout_;
  std::map<std::uint64_t, std::vector<std::byte>> pages_;
};

const al_layout& layout_of(int minor) { return find_row(minor, false)->layout; }

TEST_CASE("every row is followed from the runtime to a file name") {
  for (const LayoutRow& row : layout_rows()) {
    CAPTURE(row_name(row));
    CHECK(FakePython(row.layout).check().empty());
  }
}

TEST_CASE("another line's row is refused") {
  CHECK_FALSE(FakePython(layout_of(13)).check(layout_of(15)).empty());
  CHECK_FALSE(FakePython(layout_of(11)).check(layout_of(12)).empty());
  CHECK_FALSE(FakePython(layout_of(14)).check(find_row(14, true)->layout).empty());
}

TEST_CASE("an error names the step that failed") {
  const al_layout& layout = layout_of(14);
  FakePython python(layout);
  SECTION("starting") {
    python.put(runtime + bias + layout.runtime_interpreters, 0);
    CHECK(python.check() == "not now");
  }
  SECTION("interpreter list") {
    python.put(runtime + bias + layout.runtime_interpreters, 0x123);
    CHECK(python.check() == "CPython 3.0: the list of interpreters is no pointer");
  }
  SECTION("memory") {
    python.put(interp + layout.interp_threads, 0x99990000);
    CHECK(python.check() == "CPython 3.0: reading the thread id: no such memory");
  }
  SECTION("thread id") {
    python.put(control_block, 1);
    CHECK(python.check() == "CPython 3.0: the thread id is not a thread's control block");
  }
  SECTION("no frame") {
    python.put(thread + layout.thread_frame, 0);
    CHECK(python.check() == "not now");
  }
  SECTION("code") {
    python.put(code + layout.ob_type, 0x4242);
    CHECK(python.check() == "CPython 3.0: a frame's code is not a code object");
  }
  SECTION("file name") {
    python.put_u32(file_name + layout.str_state, 0);
    CHECK(python.check() == "CPython 3.0: the code's file name is not text");
  }
}

TEST_CASE("frames that run no Python are passed over") {
  const al_layout& layout = layout_of(14);
  FakePython python(layout);
  constexpr std::uint64_t entry = 0x10700000;
  python.put(thread + layout.thread_frame, entry);
  python.put(entry + layout.frame_back, frame);
  // FRAME_OWNED_BY_INTERPRETER and, in 3.14 only, FRAME_OWNED_BY_CSTACK
  for (const std::uint32_t owner : {3U, 4U}) {
    python.put_u32(entry + layout.frame_owner, owner);
    CHECK(python.check().empty());
  }
}

TEST_CASE("a second thread is tried when the first has no frame") {
  const al_layout& layout = layout_of(12);
  FakePython python(layout);
  constexpr std::uint64_t idle = 0x10800000;
  python.put(interp + layout.interp_threads, idle);
  python.put(idle + layout.thread_next, thread);
  CHECK(python.check().empty());
}

TEST_CASE("lists that run in circles end") {
  const al_layout& layout = layout_of(12);
  FakePython python(layout);
  python.put(thread + layout.thread_frame, 0);
  python.put(thread + layout.thread_next, thread);
  python.put(interp + layout.interp_next, interp);
  CHECK(python.check() == "not now");
}

}  // namespace
}  // namespace asyncleak::python
