// One ELF64 x86-64 file as it is on disk, read through its program headers, so that
// stripped (even section-less) files work like any other.
//
// Used by the resolver and the placement in this folder and by src/python. Knows
// nothing of Python or BPF. Every read is bounds-checked: files come from strangers'
// containers and may be truncated or hostile.
#pragma once

#include "util/handle.h"
#include "util/result.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace asyncleak::elf {

struct Range {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;  // one past the last byte
  [[nodiscard]] bool contains(std::uint64_t address) const { return begin <= address && address < end; }
};

struct Segment {
  std::uint64_t vaddr, file_offset, file_size, memory_size;
  bool executable, writable;
};

class Dynamic;

class Image {
 public:
  // Reads the whole file (at most 512 MB); what is found in it is computed when first asked
  // for, so one Image is for one thread. The path may be /proc/PID/map_files/...: the very
  // inode a process runs, even when it was deleted or replaced.
  [[nodiscard]] static Result<Image> open(const std::string& path);
  // For tests and the fuzzer; copies the bytes.
  [[nodiscard]] static Result<Image> from_bytes(std::span<const std::byte> bytes);

  Image(Image&&) noexcept;
  Image& operator=(Image&&) noexcept;
  ~Image();

  [[nodiscard]] bool position_independent() const;  // ET_DYN
  [[nodiscard]] std::span<const std::byte> file() const;
  [[nodiscard]] std::span<const Segment> segments() const;
  [[nodiscard]] std::string build_id() const;  // lower-case hex; empty when the file has none

  // Addresses are link-time virtual addresses.
  [[nodiscard]] std::optional<std::uint64_t> file_offset(std::uint64_t vaddr) const;
  [[nodiscard]] bool is_executable(std::uint64_t vaddr) const;
  [[nodiscard]] std::span<const std::byte> bytes(std::uint64_t vaddr, std::size_t length) const;  // empty: not in file
  [[nodiscard]] std::optional<std::uint32_t> u32(std::uint64_t vaddr) const;
  [[nodiscard]] std::optional<std::uint64_t> u64(std::uint64_t vaddr) const;
  [[nodiscard]] std::optional<std::string_view> c_string(std::uint64_t vaddr, std::size_t limit = 256) const;

  // The pointer a slot holds after relocation (RELATIVE, 64, GLOB_DAT, RELR, or plain data
  // in ET_EXEC), as a link-time address; nullopt for an import or outside the file.
  [[nodiscard]] std::optional<std::uint64_t> pointer(std::uint64_t slot) const;
  // Every slot known to hold that pointer.
  [[nodiscard]] std::vector<std::uint64_t> slots_holding(std::uint64_t value) const;
  // Where TEXT followed by NUL starts, in any loadable segment (also as another string's tail).
  [[nodiscard]] std::vector<std::uint64_t> find_string(std::string_view text) const;

  // .dynsym, found through PT_DYNAMIC: also there in stripped files.
  [[nodiscard]] std::optional<std::uint64_t> dynamic_symbol(std::string_view name) const;
  [[nodiscard]] const Dynamic& dynamic() const;  // for this folder

  // Bounds of the function that covers vaddr, from .eh_frame_hdr (never stripped).
  [[nodiscard]] std::optional<Range> function_at(std::uint64_t vaddr) const;

 private:
  struct State;
  explicit Image(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace asyncleak::elf
