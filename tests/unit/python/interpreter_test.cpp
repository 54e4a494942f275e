#include "python/interpreter.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "interpreters_present.h"
#include "python/objects.h"
#include "python/process.h"
#include "python/table.h"
#include "python/version.h"

namespace asyncleak::python {
namespace {

using Bytes = std::vector<std::byte>;

void patch_u64(Bytes& bytes, const elf::Image& image, std::uint64_t address, std::uint64_t value) {
  const auto offset = image.file_offset(address);
  REQUIRE(offset);
  std::memcpy(bytes.data() + *offset, &value, sizeof value);
}

// The first interpreter present whose image has debug offsets; its image and bytes.
std::optional<std::pair<std::string, Bytes>> image_with_debug_offsets() {
  for (const Present& each : interpreters_present()) {
    const auto image = elf::Image::open(each.path());
    if (!image) continue;
    const auto identified = identify(*image, each.path());
    if (!identified || identified->source != LayoutSource::debug_offsets) continue;
    return std::pair(each.path(), Bytes(image->file().begin(), image->file().end()));
  }
  return std::nullopt;
}

Result<Interpreter> identify_bytes(const Bytes& bytes, const std::string& path) {
  const auto image = elf::Image::from_bytes(bytes);
  REQUIRE(image);
  return identify(*image, path);
}

// What the kernel side does with a layout, done here with one read at a time.
class Reader {
 public:
  Reader(const al_layout& layout, const RemoteMemory& memory, std::uint64_t bias)
      : layout_(layout), memory_(memory), bias_(bias) {}

  [[nodiscard]] std::uint64_t word(std::uint64_t address) const {
    const auto value = memory_.value<std::uint64_t>(address);
    REQUIRE(value);
    return *value;
  }

  [[nodiscard]] std::string text(std::uint64_t str) const {
    std::vector<std::uint8_t> bytes(word(str + layout_.str_length));
    const auto state = static_cast<std::uint32_t>(word(str + layout_.str_state)) >> layout_.str_kind_shift;
    const bool ascii = (state & 16) != 0;
    REQUIRE(memory_.read(str + (ascii ? layout_.str_ascii_data : layout_.str_compact_data),
                         std::as_writable_bytes(std::span(bytes))));
    return decode_text(bytes, state & 7, false);
  }

  [[nodiscard]] std::uint64_t main_thread() const {
    return word(word(layout_.runtime + bias_ + layout_.runtime_interpreters) + layout_.interp_threads);
  }

  [[nodiscard]] std::uint64_t code(std::uint64_t address) const {
    const std::uint64_t value = word(address);
    return (layout_.flags & AL_CODE_TAGGED) != 0 ? value & ~std::uint64_t{3} : value;
  }

  // Function and line of the innermost Python frame of the main thread.
  [[nodiscard]] std::pair<std::string, int> innermost() const {
    std::uint64_t frame = word(main_thread() + layout_.thread_frame);
    if ((layout_.flags & AL_FRAME_INDIRECT) != 0) frame = word(frame + layout_.cframe_current);
    while (layout_.frame_owner != AL_ABSENT && (word(frame + layout_.frame_owner) & 0xff) >= layout_.frame_owner_c) {
      frame = word(frame + layout_.frame_back);
    }
    const std::uint64_t owner = code(frame + layout_.frame_code);
    std::uint64_t offset = word(frame + layout_.frame_instr);
    if ((layout_.flags & AL_INSTR_IS_INDEX) != 0) {
      offset = (offset & 0xffffffff) * ((layout_.flags & AL_INSTR_IN_UNITS) != 0 ? 2 : 1);
    } else {
      offset -= owner + layout_.code_start;
    }
    const auto table = read_line_table(memory_, layout_, owner);
    REQUIRE(table);
    const auto first_line = static_cast<int>(word(owner + layout_.code_firstlineno));
    return {text(word(owner + layout_.code_name)),
            line_at(line_table_kind(layout_), *table, first_line, static_cast<std::uint32_t>(offset)).value_or(-1)};
  }

  // The entry number INDEX of a dict: key and value.
  [[nodiscard]] std::pair<std::uint64_t, std::uint64_t> item(std::uint64_t dict, std::uint64_t index) const {
    const std::uint64_t keys = word(dict + layout_.dict_keys);
    constexpr std::uint64_t dk_size = 8;  // Objects/dict-common.h, 3.8 to 3.10; one byte each below 128
    std::uint64_t indices = word(keys + dk_size);
    bool general = true;
    if (layout_.keys_log2_index_bytes != AL_ABSENT) {
      indices = std::uint64_t{1} << (word(keys + layout_.keys_log2_index_bytes) & 0xff);
      general = (word(keys + layout_.keys_kind) & 0xff) == 0;
    }
    const std::uint64_t entry = keys + layout_.keys_indices + indices + index * (general ? 24 : 16);
    CHECK(word(keys + layout_.keys_entries_used) == 2);
    return {word(entry + (general ? 8 : 0)), word(entry + (general ? 16 : 8))};
  }

 private:
  const al_layout& layout_;
  const RemoteMemory& memory_;
  std::uint64_t bias_;
};

void check_fields(const Interpreter& found, const PythonChild& child, const RemoteMemory& memory, std::uint64_t bias) {
  const al_layout& layout = found.layout;
  const Reader reader(layout, memory, bias);
  CHECK(reader.innermost() == std::pair<std::string, int>("<module>", PythonChild::waiting_line));
  CHECK(reader.word(child.coroutine() + layout.ob_type) == layout.coro_type + bias);
  CHECK(reader.text(reader.word(child.coroutine() + layout.coro_qualname)) == "Server.serve.<locals>.handle");
  const std::uint64_t code = reader.code(child.coroutine() + layout.coro_code);
  CHECK(reader.text(reader.word(code + layout.code_name)) == "handle");
  CHECK(reader.text(reader.word(code + layout.code_filename)) == "<string>");
  if (layout.code_qualname != AL_ABSENT) {
    CHECK(reader.text(reader.word(code + layout.code_qualname)) == "Server.serve.<locals>.handle");
  }
  const auto [key, value] = reader.item(child.dictionary(), 1);
  CHECK(reader.text(key) == "coro");
  CHECK(value == child.coroutine());
  CHECK(reader.word(reader.word(child.dictionary() + layout.ob_type) + layout.type_name) != 0);
  // Blocked in read(2) it has given up the interpreter, so that it is not the thread that runs now.
  if (layout.thread_status != AL_ABSENT) {
    CHECK((reader.word(reader.main_thread() + layout.thread_status) & layout.thread_active_mask) == 0);
  }
}

TEST_CASE("every interpreter present is identified from its file and fits its living process") {
  for (const Present& each : interpreters_present()) {
    CAPTURE(each.path());
    const PythonChild child(each);
    REQUIRE_FALSE(child.version().empty());
    const auto images = find_images(child.pid());
    REQUIRE(images);
    REQUIRE(images->core);
    const auto image = elf::Image::open(images->core->open_path);
    REQUIRE(image);
    const auto found = identify(*image, images->core->path);
    if (!found) FAIL(found.error().message);
    CAPTURE(found->row);
    CHECK(found->version.text == child.version());
    CHECK(found->row.find("row has") == std::string::npos);
    CHECK((found->source == LayoutSource::debug_offsets) == !debug_fields(found->version.minor).empty());

    const ProcessMemory memory(child.pid());
    const std::uint64_t bias = load_bias(image->segments(), *images->core);
    const auto live = check_live(*found, memory, bias);
    if (!live) FAIL(live.error().message);
    CHECK(*live == Fit::checked);
    CHECK((images->asyncio || images->might_be_builtin));
    check_fields(*found, child, memory, bias);

    // A wrong field on the way: the process itself says so.
    const auto followed = [&](const Interpreter& interpreter, std::uint64_t at) {
      const auto fit = check_live(interpreter, memory, at);
      return fit && *fit == Fit::checked;
    };
    const auto refused_with = [&](__u16 al_layout::*member, int value) {
      Interpreter wrong = *found;
      wrong.layout.*member = static_cast<__u16>(value);
      return !followed(wrong, bias);
    };
    const al_layout& layout = found->layout;
    CHECK(refused_with(&al_layout::runtime_interpreters, layout.runtime_interpreters - 8));
    CHECK(refused_with(&al_layout::thread_id, layout.thread_id + 8));
    CHECK(refused_with(&al_layout::frame_code, layout.frame_back));
    CHECK(refused_with(&al_layout::code_filename, layout.code_firstlineno));
    CHECK_FALSE(followed(*found, bias + 4096));
  }
}

// $ASYNCLEAK_HEADERS: directories into which Debian's libpython3.N and its -dev were unpacked.
TEST_CASE("a shared libpython without any process") {
  const char* unpacked = std::getenv("ASYNCLEAK_HEADERS");
  if (unpacked == nullptr) return;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(unpacked)) {
    const std::string path = entry.path();
    if (!path.ends_with(".so.1.0") || !is_python_file(path)) continue;
    const auto image = elf::Image::open(path);
    CAPTURE(path);
    REQUIRE(image);
    const auto found = identify(*image, path);
    if (!found) FAIL(found.error().message);
    CHECK(found->layout.position_independent == 1);
    CHECK(found->version.micro >= 0);
    CHECK(found->version.minor == minor_from_name(path));
  }
}

TEST_CASE("a file that is not CPython is refused") {
  const auto image = elf::Image::open("/bin/true");
  REQUIRE(image);
  const auto found = identify(*image, "/bin/true");
  REQUIRE_FALSE(found);
  CHECK(found.error().message == "/bin/true: exports no _PyRuntime: not CPython 3.8 or later");
  CHECK(found.error().kind == ErrorKind::unobservable);
}

TEST_CASE("a build whose objects have other sizes than its row's is refused") {
  for (const Present& each : interpreters_present()) {
    const auto image = elf::Image::open(each.path());
    if (!image || !image->dynamic_symbol("_PyRuntime")) continue;
    CAPTURE(each.path());
    Bytes bytes(image->file().begin(), image->file().end());
    const auto good = identify_bytes(bytes, each.path());
    REQUIRE(good);
    patch_u64(bytes, *image, *image->dynamic_symbol("PyCoro_Type") + good->layout.type_name + 8, 1234);
    const auto refused = identify_bytes(bytes, each.path());
    REQUIRE_FALSE(refused);
    CHECK(refused.error().message.find("tp_basicsize of PyCoro_Type is 1234, the row says ") != std::string::npos);
    CHECK(refused.error().advice.find("docs/adding-a-python.md") != std::string::npos);
  }
}

TEST_CASE("before 3.12 the current thread's address must be where the code reads it") {
  for (const Present& each : interpreters_present()) {
    const auto image = elf::Image::open(each.path());
    if (!image || !image->dynamic_symbol("_PyRuntime") || image->position_independent()) continue;
    Bytes bytes(image->file().begin(), image->file().end());
    const auto good = identify_bytes(bytes, each.path());
    REQUIRE(good);
    if ((good->layout.flags & AL_TSTATE_GLOBAL) == 0) continue;
    CAPTURE(each.path());
    // mov rax, [0x400000]; ret
    const auto entry = image->file_offset(*image->dynamic_symbol("_PyThreadState_UncheckedGet"));
    REQUIRE(entry);
    std::memcpy(bytes.data() + *entry, "\x48\x8b\x04\x25\x00\x00\x40\x00\xc3", 9);
    const auto refused = identify_bytes(bytes, each.path());
    REQUIRE_FALSE(refused);
    CHECK(refused.error().message.find("_PyThreadState_UncheckedGet reads _PyRuntime + ") != std::string::npos);
  }
}

TEST_CASE("a version without a row is refused by name") {
  const auto original = image_with_debug_offsets();
  if (!original) return;
  auto [path, bytes] = *original;
  const auto image = elf::Image::from_bytes(bytes);
  patch_u64(bytes, *image, *image->dynamic_symbol("_PyRuntime") + 8, 0x03200000);
  const auto refused = identify_bytes(bytes, path);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message == path + ": CPython 3.32.0 is not known (known: 3.8 to 3.15)");
  CHECK(refused.error().kind == ErrorKind::unobservable);
}

TEST_CASE("debug offsets that differ from the row win and are named") {
  const auto original = image_with_debug_offsets();
  if (!original) return;
  auto [path, bytes] = *original;
  const auto image = elf::Image::from_bytes(bytes);
  const auto good = identify_bytes(bytes, path);
  REQUIRE(good);
  for (const DebugField& field : debug_fields(good->version.minor)) {
    if (field.name != "thread_id") continue;
    patch_u64(bytes, *image, *image->dynamic_symbol("_PyRuntime") + 8UL * field.first, 999);
  }
  const auto changed = identify_bytes(bytes, path);
  REQUIRE(changed);
  CHECK(changed->layout.thread_id == 999);
  CHECK(changed->row.find("; thread_id 999, row has ") != std::string::npos);
}

}  // namespace
}  // namespace asyncleak::python
