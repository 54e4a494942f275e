#include "elf/image.h"

#include "elf/dynamic.h"
#include "elf/eh_frame.h"
#include "elf/pointer_slots.h"
#include "elf/reads.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <string>

namespace asyncleak::elf {
namespace {

// The whole file is read, never mapped: a mapping of a file that somebody truncates meanwhile
// kills its reader with SIGBUS. A 9 MB libpython costs about 4 ms, once per inode.
constexpr std::uint64_t largest_file = 512ULL << 20;
// Real files have a dozen program headers. More, or segments that share file bytes, would make
// every search visit the same bytes many times.
constexpr std::size_t most_program_headers = 256;

struct Bytes {
  std::unique_ptr<std::byte[]> data;
  std::size_t size = 0;
};

Result<Bytes> read_file(const std::string& path) {
  // O_NONBLOCK: opening a FIFO that was put in the file's place must not hang.
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return fail(system_error("opening " + path, errno));
  struct stat status {};
  if (fstat(fd.get(), &status) != 0) return fail(system_error("reading " + path, errno));
  if (!S_ISREG(status.st_mode)) return fail(path + ": not a regular file");
  const auto size = static_cast<std::uint64_t>(status.st_size);
  if (size > largest_file) return fail(path + ": larger than 512 MB, not an interpreter");
  Bytes bytes{std::unique_ptr<std::byte[]>(new std::byte[size]), 0};
  while (bytes.size < size) {
    const ssize_t got =
        pread(fd.get(), bytes.data.get() + bytes.size, size - bytes.size, static_cast<off_t>(bytes.size));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(system_error("reading " + path, errno));
    if (got == 0) break;
    bytes.size += static_cast<std::size_t>(got);
  }
  return bytes;
}

Result<Elf64_Ehdr> read_header(std::span<const std::byte> file) {
  const auto header = read_at<Elf64_Ehdr>(file, 0);
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0) return fail("not an ELF file");
  if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB ||
      header->e_machine != EM_X86_64) {
    return fail("not an x86-64 ELF file");
  }
  if (header->e_type != ET_EXEC && header->e_type != ET_DYN) return fail("neither an executable nor a shared library");
  if (header->e_phentsize != sizeof(Elf64_Phdr) || header->e_phnum == 0) return fail("no ELF program headers");
  if (header->e_phnum > most_program_headers) return fail("too many ELF program headers");
  return *header;
}

std::string hex(std::span<const std::byte> bytes) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const std::byte byte : bytes) {
    text += digits[std::to_integer<std::size_t>(byte >> 4)];
    text += digits[std::to_integer<std::size_t>(byte & std::byte{15})];
  }
  return text;
}

}  // namespace

struct Image::State {
  Bytes content;
  bool position_independent = false;
  std::vector<Segment> segments;
  std::span<const std::byte> dynamic_table;
  std::vector<std::span<const std::byte>> notes;
  std::uint64_t eh_frame_header = 0;
  // Built when first asked for: most images are opened for one symbol.
  std::optional<Dynamic> dynamic_section;
  std::optional<PointerSlots> pointer_slots;

  [[nodiscard]] std::span<const std::byte> file() const { return {content.data.get(), content.size}; }
  [[nodiscard]] std::span<const std::byte> part(std::uint64_t offset, std::uint64_t length) const {
    if (offset > content.size) return {};
    return file().subspan(offset, std::min<std::uint64_t>(length, content.size - offset));
  }

  [[nodiscard]] static Result<std::unique_ptr<State>> parse(Bytes content);
  [[nodiscard]] Result<void> add_segment(const Elf64_Phdr& header);
  [[nodiscard]] const Dynamic& dynamic() {
    if (!dynamic_section) dynamic_section = Dynamic::parse(dynamic_table);
    return *dynamic_section;
  }
  [[nodiscard]] PointerSlots& slots(const Image& image) {
    if (!pointer_slots) pointer_slots = PointerSlots::read(image, dynamic());
    return *pointer_slots;
  }
};

Result<void> Image::State::add_segment(const Elf64_Phdr& header) {
  if (header.p_vaddr + header.p_memsz < header.p_vaddr) return fail("a segment beyond the address space");
  const auto bytes = part(header.p_offset, header.p_filesz);
  segments.push_back({header.p_vaddr, bytes.empty() ? 0 : header.p_offset, bytes.size(), header.p_memsz,
                      (header.p_flags & PF_X) != 0, (header.p_flags & PF_W) != 0});
  return {};
}

Result<std::unique_ptr<Image::State>> Image::State::parse(Bytes content) {
  auto state = std::make_unique<State>();
  state->content = std::move(content);
  const auto header = read_header(state->file());
  if (!header) return fail(header.error());
  state->position_independent = header->e_type == ET_DYN;
  for (std::uint64_t i = 0; i < header->e_phnum; ++i) {
    const auto table = state->part(header->e_phoff, sizeof(Elf64_Phdr) * header->e_phnum);
    const auto program = read_at<Elf64_Phdr>(table, i * sizeof(Elf64_Phdr));
    if (!program) return fail("the ELF program headers are truncated");
    if (program->p_type == PT_LOAD) {
      if (auto added = state->add_segment(*program); !added) return fail(added.error());
    }
    if (program->p_type == PT_DYNAMIC) state->dynamic_table = state->part(program->p_offset, program->p_filesz);
    if (program->p_type == PT_NOTE) state->notes.push_back(state->part(program->p_offset, program->p_filesz));
    if (program->p_type == PT_GNU_EH_FRAME) state->eh_frame_header = program->p_vaddr;
  }
  std::uint64_t covered = 0;
  for (const Segment& segment : state->segments) covered += segment.file_size;
  if (covered > 2 * state->content.size) return fail("the ELF segments overlap");
  return state;
}

Image::Image(std::unique_ptr<State> state) : state_(std::move(state)) {}
Image::Image(Image&&) noexcept = default;
Image& Image::operator=(Image&&) noexcept = default;
Image::~Image() = default;

Result<Image> Image::open(const std::string& path) {
  auto content = read_file(path);
  if (!content) return fail(content.error());
  auto state = State::parse(std::move(*content));
  if (!state) return fail(within(path, state.error()));
  return Image(std::move(*state));
}

Result<Image> Image::from_bytes(std::span<const std::byte> bytes) {
  Bytes copy{std::unique_ptr<std::byte[]>(new std::byte[bytes.size()]), bytes.size()};
  std::copy(bytes.begin(), bytes.end(), copy.data.get());
  auto state = State::parse(std::move(copy));
  if (!state) return fail(state.error());
  return Image(std::move(*state));
}

bool Image::position_independent() const { return state_->position_independent; }
std::span<const std::byte> Image::file() const { return state_->file(); }
std::span<const Segment> Image::segments() const { return state_->segments; }

std::string Image::build_id() const {
  constexpr std::uint64_t longest = 64;  // --build-id=0x... may choose any length; usual ones have 16 or 20
  for (const auto note : state_->notes) {
    for (std::uint64_t offset = 0;;) {
      const auto header = read_at<Elf64_Nhdr>(note, offset);
      if (!header) break;
      const std::uint64_t name = offset + sizeof(Elf64_Nhdr);
      const std::uint64_t content = name + (std::uint64_t{header->n_namesz} + 3) / 4 * 4;
      const auto owner = read_at<std::uint32_t>(note, name);
      const bool is_gnu = header->n_namesz == 4 && owner && *owner == 0x00554e47;  // "GNU\0"
      if (is_gnu && header->n_type == NT_GNU_BUILD_ID && header->n_descsz <= longest &&
          content + header->n_descsz <= note.size()) {
        return hex(note.subspan(content, header->n_descsz));
      }
      offset = content + (std::uint64_t{header->n_descsz} + 3) / 4 * 4;
    }
  }
  return {};
}

std::optional<std::uint64_t> Image::file_offset(std::uint64_t vaddr) const {
  const auto rest = rest_of_segment(*this, vaddr);
  if (rest.empty()) return std::nullopt;
  return static_cast<std::uint64_t>(rest.data() - file().data());
}

bool Image::is_executable(std::uint64_t vaddr) const {
  return std::any_of(state_->segments.begin(), state_->segments.end(), [vaddr](const Segment& segment) {
    return segment.executable && vaddr >= segment.vaddr && vaddr - segment.vaddr < segment.memory_size;
  });
}

std::span<const std::byte> Image::bytes(std::uint64_t vaddr, std::size_t length) const {
  const auto rest = rest_of_segment(*this, vaddr);
  return length <= rest.size() ? rest.first(length) : std::span<const std::byte>{};
}

std::optional<std::uint32_t> Image::u32(std::uint64_t vaddr) const {
  return read_at<std::uint32_t>(rest_of_segment(*this, vaddr), 0);
}

std::optional<std::uint64_t> Image::u64(std::uint64_t vaddr) const {
  return read_at<std::uint64_t>(rest_of_segment(*this, vaddr), 0);
}

std::optional<std::string_view> Image::c_string(std::uint64_t vaddr, std::size_t limit) const {
  const auto rest = up_to(*this, vaddr, limit);
  const auto end = std::find(rest.begin(), rest.end(), std::byte{0});
  if (end == rest.end()) return std::nullopt;
  return std::string_view(reinterpret_cast<const char*>(rest.data()), static_cast<std::size_t>(end - rest.begin()));
}

std::optional<std::uint64_t> Image::pointer(std::uint64_t slot) const {
  return state_->slots(*this).pointer(*this, slot);
}

std::vector<std::uint64_t> Image::slots_holding(std::uint64_t value) const {
  return state_->slots(*this).holding(*this, value);
}

std::vector<std::uint64_t> Image::find_string(std::string_view text) const {
  const std::string pattern = std::string(text) + '\0';
  std::vector<std::uint64_t> found;
  for (const Segment& segment : state_->segments) {
    const auto bytes = file().subspan(segment.file_offset, segment.file_size);
    for (std::size_t offset = 0; offset < bytes.size();) {
      const void* hit = memmem(bytes.data() + offset, bytes.size() - offset, pattern.data(), pattern.size());
      if (hit == nullptr) break;
      offset = static_cast<std::size_t>(static_cast<const std::byte*>(hit) - bytes.data());
      found.push_back(segment.vaddr + offset);
      ++offset;
    }
  }
  return found;
}

std::optional<std::uint64_t> Image::dynamic_symbol(std::string_view name) const {
  const auto symbol = state_->dynamic().find(*this, name);
  return symbol ? std::optional(symbol->value) : std::nullopt;
}

const Dynamic& Image::dynamic() const { return state_->dynamic(); }

std::optional<Range> Image::function_at(std::uint64_t vaddr) const {
  if (state_->eh_frame_header == 0) return std::nullopt;
  return function_by_eh_frame(*this, state_->eh_frame_header, vaddr);
}

}  // namespace asyncleak::elf
