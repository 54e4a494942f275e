// The self-check of an attach: the layout followed through a living process.
#include <array>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include "python/interpreter.h"

namespace asyncleak::python {
namespace {

constexpr int most_interpreters = 64;
constexpr int most_threads = 512;
constexpr int most_frames = 64;
// The process runs on while it is read: a frame can go away between two reads.
constexpr int attempts = 16;
constexpr std::uint64_t tag_mask = 3;
constexpr std::uint64_t longest_file_name = 4096;  // PATH_MAX

Error wrong(std::string step) {
  return Error{std::move(step),
               "its layout does not fit this build: report it with the output of `asyncleak-top doctor`",
               ErrorKind::unobservable};
}

bool aligned_pointer(std::uint64_t value) { return value != 0 && value % 8 == 0; }

class Walk {
 public:
  Walk(const al_layout& layout, const RemoteMemory& memory, std::uint64_t bias)
      : layout_(layout), memory_(memory), bias_(bias) {}

  [[nodiscard]] Result<Fit> runtime();

 private:
  // True: a code object was reached and is one. False: the thread runs no Python now.
  [[nodiscard]] Result<bool> interpreter(std::uint64_t interp);
  [[nodiscard]] Result<bool> thread(std::uint64_t thread);
  [[nodiscard]] Result<bool> frames(std::uint64_t frame);
  [[nodiscard]] Result<void> code(std::uint64_t code);
  [[nodiscard]] Result<void> file_name(std::uint64_t text);
  [[nodiscard]] Result<std::uint64_t> pointer(std::uint64_t address, std::string_view what);

  const al_layout& layout_;
  const RemoteMemory& memory_;
  std::uint64_t bias_;
};

// A pointer field that may be null, but must be aligned otherwise.
Result<std::uint64_t> Walk::pointer(std::uint64_t address, std::string_view what) {
  const auto value = memory_.value<std::uint64_t>(address);
  if (!value) return fail(within("reading " + std::string(what), value.error()));
  if (*value != 0 && !aligned_pointer(*value)) return fail(wrong(std::string(what) + " is no pointer"));
  return *value;
}

Result<Fit> Walk::runtime() {
  auto interp = pointer(layout_.runtime + bias_ + layout_.runtime_interpreters, "the list of interpreters");
  if (!interp) return fail(interp.error());
  if (*interp == 0) return Fit::not_now;
  for (int i = 0; i < most_interpreters && *interp != 0; ++i) {
    const auto good = interpreter(*interp);
    if (!good) return fail(good.error());
    if (*good) return Fit::checked;
    interp = pointer(*interp + layout_.interp_next, "the next interpreter");
    if (!interp) return fail(interp.error());
  }
  return Fit::not_now;
}

Result<bool> Walk::interpreter(std::uint64_t interp) {
  auto next = pointer(interp + layout_.interp_threads, "the list of threads");
  if (!next) return fail(next.error());
  for (int i = 0; i < most_threads && *next != 0; ++i) {
    auto good = thread(*next);
    if (!good || *good) return good;
    next = pointer(*next + layout_.thread_next, "the next thread");
    if (!next) return fail(next.error());
  }
  return false;
}

Result<bool> Walk::thread(std::uint64_t thread) {
  const auto id = pointer(thread + layout_.thread_id, "the thread id");
  if (!id) return fail(id.error());
  // A state made for a thread that has not bound it yet.
  if (*id == 0) return false;
  // pthread_self() is the thread control block, whose first word points to itself
  // (glibc sysdeps/x86_64/nptl/tls.h tcbhead_t.tcb; musl src/internal/pthread_impl.h struct pthread.self).
  const auto self = memory_.value<std::uint64_t>(*id);
  if (!self || *self != *id) return fail(wrong("the thread id is not a thread's control block"));
  auto frame = pointer(thread + layout_.thread_frame, "the thread's frame");
  if (frame && *frame != 0 && (layout_.flags & AL_FRAME_INDIRECT) != 0) {
    frame = pointer(*frame + layout_.cframe_current, "the current frame");
  }
  if (!frame) return fail(frame.error());
  return frames(*frame);
}

Result<bool> Walk::frames(std::uint64_t frame) {
  std::array<std::byte, 8UL * AL_FRAME_WORDS> words;
  const auto field = [&](std::uint16_t offset) {
    std::uint64_t value = 0;
    std::memcpy(&value, words.data() + (offset - layout_.frame_first), sizeof value);
    return value;
  };
  for (int i = 0; i < most_frames && frame != 0; ++i) {
    const auto window = std::span(words).first(layout_.frame_span);
    if (auto got = memory_.read(frame + layout_.frame_first, window); !got) {
      return fail(within("reading a frame", got.error()));
    }
    // Owners at and above the first that runs no Python: Include/internal/pycore_frame.h, _PyFrame_IsIncomplete (3.14).
    const bool runs_python =
        layout_.frame_owner == AL_ABSENT || layout_.frame_owner_c == AL_ABSENT ||
        std::to_integer<unsigned>(words[layout_.frame_owner - layout_.frame_first]) < layout_.frame_owner_c;
    if (runs_python) {
      std::uint64_t executable = field(layout_.frame_code);
      if ((layout_.flags & AL_CODE_TAGGED) != 0) executable &= ~tag_mask;
      if (auto good = code(executable); !good) return fail(good.error());
      return true;
    }
    frame = field(layout_.frame_back);
  }
  return false;
}

Result<void> Walk::code(std::uint64_t code) {
  if (!aligned_pointer(code)) return fail(wrong("a frame's code is no pointer"));
  const auto type = memory_.value<std::uint64_t>(code + layout_.ob_type);
  if (!type) return fail(within("reading a frame's code", type.error()));
  if (*type != layout_.code_type + bias_) return fail(wrong("a frame's code is not a code object"));
  const auto name = pointer(code + layout_.code_filename, "the code's file name");
  if (!name) return fail(name.error());
  const auto first_line = memory_.value<std::int32_t>(code + layout_.code_firstlineno);
  if (!first_line || *first_line < 0) return fail(wrong("the code's first line is no line"));
  return file_name(*name);
}

Result<void> Walk::file_name(std::uint64_t text) {
  const auto length = memory_.value<std::uint64_t>(text + layout_.str_length);
  const auto state = memory_.value<std::uint32_t>(text + layout_.str_state);
  if (!length || !state) return fail(wrong("the code's file name cannot be read"));
  // PyASCIIObject.state: kind (3 bits), compact, ascii follow each other on every line.
  const unsigned bits = *state >> layout_.str_kind_shift;
  const unsigned kind = bits & 7;
  const bool compact = (bits & 8) != 0;
  const bool ascii = (bits & 16) != 0;
  if (!compact || (kind != 1 && kind != 2 && kind != 4) || *length == 0 || *length > longest_file_name) {
    return fail(wrong("the code's file name is not text"));
  }
  const auto first = memory_.value<std::uint8_t>(text + (ascii ? layout_.str_ascii_data : layout_.str_compact_data));
  if (!first || (ascii && (*first < ' ' || *first > '~'))) return fail(wrong("the code's file name is not printable"));
  return {};
}

}  // namespace

Result<Fit> check_live(const Interpreter& interpreter, const RemoteMemory& memory, std::uint64_t bias) {
  Result<Fit> last = Fit::not_now;
  for (int i = 0; i < attempts; ++i) {
    last = Walk(interpreter.layout, memory, bias).runtime();
    if (last && *last == Fit::checked) return last;
  }
  if (!last) return fail(within("CPython " + interpreter.version.text, last.error()));
  return last;
}

}  // namespace asyncleak::python
