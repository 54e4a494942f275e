#include "python/malloc_provider.h"

#include "elf/imports.h"
#include "python/memory.h"
#include "python/proc_text.h"

#include <fmt/format.h>
#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace asyncleak::python {
namespace {

namespace fs = std::filesystem;

constexpr const char* without_allocator = "watch it with --memory objects";

// What the process has mapped to execute, by address.
Result<std::vector<Mapping>> code_of(pid_t pid) {
  const auto maps = read_proc(pid, "maps");
  if (!maps) return fail(maps.error());
  std::vector<Mapping> found;
  for (std::string_view rest = *maps; !rest.empty();) {
    auto mapping = parse_mapping(take(rest, '\n'));
    if (mapping && mapping->executable) found.push_back(std::move(*mapping));
  }
  return found;
}

const Mapping* mapping_at(const std::vector<Mapping>& code, std::uint64_t address) {
  const auto found =
      std::ranges::find_if(code, [&](const Mapping& each) { return each.start <= address && address < each.end; });
  return found == code.end() ? nullptr : &*found;
}

// The order in which the loader looks a name up (System V ABI, "Shared Object Dependencies"), as far as file names tell
// it: the C library behind what was loaded to replace it. glibc 2.31's ld.so still exports one
// (elf/dl-minimal.c), which serves nobody but itself once the C library is there.
enum class Turn { executable, others, c_library, loader };

Turn turn_of(const Mapping& mapping, std::string_view executable) {
  const std::string name = fs::path(mapping.path).filename();
  if (mapping.path == executable) return Turn::executable;
  if (name.starts_with("libc.so.") || name.starts_with("libc-2.")) return Turn::c_library;
  if (name.starts_with("ld-linux") || name.starts_with("ld-2.")) return Turn::loader;
  return Turn::others;
}

Result<MappedFile> first_exporter(pid_t pid, std::vector<Mapping> code) {
  const auto executable = read_exe(pid);
  if (!executable) return fail(executable.error());
  // Libraries are mapped downwards: the first one loaded has the highest address.
  std::ranges::reverse(code);
  std::ranges::stable_sort(code, {}, [&](const Mapping& each) { return turn_of(each, *executable); });
  for (const Mapping& mapping : code) {
    auto file = file_of(pid, mapping);
    if (!file) continue;
    const auto image = elf::Image::open(file->open_path);
    if (image && elf::exported_function(*image, "malloc")) return file;
  }
  return fail(fmt::format("no file that PID {} has mapped exports malloc", pid), without_allocator,
              ErrorKind::unobservable);
}

// A file may be called in malloc's place without being the allocator: memray and heap profilers write their own
// function into the word and call the allocator from there.
bool exports_malloc(const MappedFile& file) {
  const auto image = elf::Image::open(file.open_path);
  return image && image->dynamic_symbol("malloc");
}

// Through which word malloc is called, and where that leads at run time. Nothing: no word is bound yet.
Result<std::optional<std::uint64_t>> bound_address(pid_t pid, const elf::Image& core, std::uint64_t bias,
                                                   const std::vector<std::uint64_t>& slots) {
  const ProcessMemory memory(pid);
  const auto own = elf::exported_function(core, "malloc");
  for (const std::uint64_t slot : slots) {
    const auto address = memory.value<std::uint64_t>(bias + slot);
    if (!address) return fail(within("malloc in the interpreter's import table", address.error()));
    // Before the first call the word leads back into the image's own table of stubs.
    const bool stub = core.is_executable(*address - bias) && own != *address - bias;
    if (*address != 0 && !stub) return std::optional(*address);
  }
  return std::nullopt;
}

}  // namespace

Result<MappedFile> find_malloc_provider(pid_t pid, const elf::Image& core, std::uint64_t bias) {
  auto code = code_of(pid);
  if (!code) return fail(code.error());
  std::optional<std::uint64_t> address;
  const auto slots = elf::import_slots(core, "malloc");
  if (slots.empty()) {
    // Linked in: an executable calls its own functions without a word to go through.
    const auto own = elf::exported_function(core, "malloc");
    if (!own) {
      return fail(
          fmt::format("the interpreter of PID {} has an allocator linked in whose functions have no names", pid),
          without_allocator, ErrorKind::unobservable);
    }
    address = bias + *own;
  } else {
    const auto bound = bound_address(pid, core, bias, slots);
    if (!bound) return fail(bound.error());
    address = *bound;
  }
  if (!address) return first_exporter(pid, std::move(*code));
  const Mapping* mapping = mapping_at(*code, *address);
  if (mapping == nullptr) {
    return fail(fmt::format("PID {} calls malloc at {:#x}, where no file is mapped", pid, *address), without_allocator,
                ErrorKind::unobservable);
  }
  auto file = file_of(pid, *mapping);
  if (!file || exports_malloc(*file)) return file;
  return first_exporter(pid, std::move(*code));
}

}  // namespace asyncleak::python
