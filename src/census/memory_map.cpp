#include "census/memory_map.h"

#include "python/proc_text.h"
#include "util/handle.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <algorithm>
#include <optional>

namespace asyncleak::census {
namespace {

using python::number;
using python::read_proc;
using python::take;

constexpr std::uint64_t page_bytes = 4096;
// glibc malloc/arena.c: HEAP_MAX_SIZE, the size and alignment of a thread's heap; what it does not use yet has no
// access.
constexpr std::uint64_t thread_heap_bytes = 64U << 20;
constexpr std::uint64_t largest_bss = (1U << 20) - 1;  // an arena of 3.10+ that follows an image is larger
// 256 GiB of address space, at 3 ns a page that is not there.
constexpr std::uint64_t most_pages = 64U << 20;
// What glibc takes where the limit is "unlimited" (sysdeps/x86_64/nptl/pthreaddef.h: ARCH_STACK_DEFAULT_SIZE).
constexpr std::uint64_t unlimited_stack = 2U << 20;

std::string_view without_blanks(std::string_view text) {
  const std::size_t start = text.find_first_not_of(' ');
  return start == std::string_view::npos ? std::string_view{} : text.substr(start);
}

// "5592166c5000-559216883000 rw-p 00000000 00:00 0    [heap]"
std::optional<Area> parse_header(std::string_view line) {
  std::string_view range = take(line, ' ');
  const auto start = number(take(range, '-'), 16);
  const auto end = number(range, 16);
  const std::string_view permissions = take(line, ' ');
  take(line, ' ');
  take(line, ' ');
  const auto inode = number(take(line, ' '), 10);
  if (!start || !end || *start >= *end || permissions.size() != 4 || !inode) return std::nullopt;
  const std::string_view name = without_blanks(line);
  Area area{.range = {*start, *end}, .readable = permissions[0] == 'r', .writable = permissions[1] == 'w'};
  if (permissions[3] == 's') {
    area.kind = Area::Kind::shared;
  } else if (*inode != 0 || name.starts_with('/')) {
    area.kind = Area::Kind::file;
  } else if (name == "[heap]") {
    area.kind = Area::Kind::heap;
  } else if (name.starts_with("[stack")) {
    area.kind = Area::Kind::stack;
  } else if (name.starts_with('[') && !name.starts_with("[anon")) {  // vdso, vvar, vsyscall, uprobes
    area.kind = Area::Kind::kernel;
  }
  return area;
}

// "Rss:                  16 kB", "VmFlags: rd wr mr mw me gu ac nh "
void parse_detail(std::string_view line, Area& area) {
  const std::string_view key = take(line, ':');
  if (key == "Rss" || key == "Swap") {
    line = without_blanks(line);
    const auto kibibytes = number(take(line, ' '), 10);
    (key == "Rss" ? area.resident : area.swapped) = kibibytes.value_or(0) * 1024;
  } else if (key == "VmFlags") {
    area.guarded = line.find(" gu ") != std::string_view::npos;
  }
}

bool is_memory(const Area& area) { return area.kind == Area::Kind::anonymous || area.kind == Area::Kind::heap; }

bool no_access(const Area& area) { return is_memory(area) && !area.readable && !area.writable; }

std::uint64_t stack_limit(pid_t pid) {
  const auto text = read_proc(pid, "limits");
  constexpr std::string_view name = "\nMax stack size";
  const std::size_t at = text ? text->find(name) : std::string::npos;
  if (at == std::string::npos) return unlimited_stack;
  std::string_view rest = without_blanks(std::string_view(*text).substr(at + name.size()));
  return number(take(rest, ' '), 10).value_or(unlimited_stack) & ~(page_bytes - 1);
}

// Which pages are there, from /proc/PID/pagemap (Documentation/admin-guide/mm/pagemap.rst).
class PageMap {
 public:
  explicit PageMap(pid_t pid)
      : fd_(open(("/proc/" + std::to_string(pid) + "/pagemap").c_str(), O_RDONLY | O_CLOEXEC)) {}

  // Calls each(Range) for every run of pages that are present. Returns the bytes of those that are swapped out.
  // Where nothing can be read everything counts as present.
  template <class Each>
  std::uint64_t runs(const Range& range, Each&& each) {
    constexpr std::uint64_t present = 1ULL << 63, swapped = 1ULL << 62, guard = 1ULL << 58;
    std::uint64_t swapped_pages = 0, run = range.start, at = range.start;
    while (at < range.end) {
      const std::uint64_t pages = read_entries(at, (range.end - at) / page_bytes);
      if (pages == 0) {
        at = range.end;
        break;
      }
      for (std::uint64_t i = 0; i < pages; ++i, at += page_bytes) {
        const std::uint64_t entry = entries_[i];
        if ((entry & present) != 0) continue;
        if (at > run) each(Range{run, at});
        run = at + page_bytes;
        if ((entry & swapped) != 0 && (entry & guard) == 0) ++swapped_pages;
      }
    }
    if (at > run) each(Range{run, at});
    return swapped_pages * page_bytes;
  }

  [[nodiscard]] std::uint64_t resident(const Range& range) {
    std::uint64_t bytes = 0;
    runs(range, [&bytes](const Range& run) { bytes += run.bytes(); });
    return bytes;
  }

 private:
  std::uint64_t read_entries(std::uint64_t address, std::uint64_t pages) {
    const std::size_t wanted = std::min<std::uint64_t>(pages, entries_.size()) * sizeof(std::uint64_t);
    const auto offset = static_cast<off_t>(address / page_bytes * sizeof(std::uint64_t));
    const ssize_t got = pread(fd_.get(), entries_.data(), wanted, offset);
    return got < 0 ? 0 : static_cast<std::uint64_t>(got) / sizeof(std::uint64_t);
  }

  Fd fd_;
  std::vector<std::uint64_t> entries_ = std::vector<std::uint64_t>(1U << 16);  // of 256 MiB
};

std::uint64_t& bytes_of(MemoryClasses& classes, Part::Use use) {
  switch (use) {
    case Part::Use::arena:
      return classes.arenas;
    case Part::Use::c_heap:
      return classes.c_heap;
    case Part::Use::mapped:
      return classes.mapped;
    case Part::Use::stack:
      return classes.stacks;
    case Part::Use::file:
      return classes.files;
    case Part::Use::shared:
      return classes.shared;
  }
  return classes.mapped;
}

// The single use of a mapping, but for the arenas and the thread's heap in it.
Part::Use use_of(std::span<const Area> areas, std::size_t index, std::uint64_t stack_bytes) {
  const Area& area = areas[index];
  switch (area.kind) {
    case Area::Kind::heap:
      return Part::Use::c_heap;
    case Area::Kind::stack:
      return Part::Use::stack;
    case Area::Kind::shared:
      return Part::Use::shared;
    case Area::Kind::file:
    case Area::Kind::kernel:
      return Part::Use::file;
    case Area::Kind::anonymous:
      break;
  }
  if (area.guarded)
    return Part::Use::stack;  // glibc 2.42+: madvise(MADV_GUARD_INSTALL) in place of a page without access
  if (index == 0 || areas[index - 1].range.end != area.range.start) return Part::Use::mapped;
  const Area& before = areas[index - 1];
  if (no_access(before) && area.range.bytes() == stack_bytes) return Part::Use::stack;
  const bool follows_data = before.kind == Area::Kind::file && before.writable;
  return follows_data && area.range.bytes() <= largest_bss ? Part::Use::file : Part::Use::mapped;
}

// Where the heap of a thread begins in a mapping which ends in one; its end otherwise.
std::uint64_t thread_heap_start(std::span<const Area> areas, std::size_t index) {
  const Range& range = areas[index].range;
  if (index + 1 == areas.size()) return range.end;
  const Area& after = areas[index + 1];
  const std::uint64_t start = (range.end - 1) / thread_heap_bytes * thread_heap_bytes;
  const bool reserved =
      no_access(after) && after.range.start == range.end && after.range.end >= start + thread_heap_bytes;
  return reserved && start >= range.start ? start : range.end;
}

void join_touching(std::vector<Range>& ranges) {
  std::ranges::sort(ranges, {}, &Range::start);
  std::size_t kept = 0;
  for (const Range& range : ranges) {
    if (kept > 0 && ranges[kept - 1].end == range.start) {
      ranges[kept - 1].end = range.end;
    } else {
      ranges[kept++] = range;
    }
  }
  ranges.resize(kept);
}

// NAME: "maps" or "smaps".
Result<std::vector<Area>> read_areas(pid_t pid, const char* name) {
  const auto text = read_proc(pid, name);
  if (!text) return fail(text.error());
  auto areas = parse_areas(*text);
  // Between its end and its parent's wait a process still has the file, but nothing in it.
  if (areas.empty()) return fail("PID " + std::to_string(pid) + " has no memory: it has ended");
  return areas;
}

}  // namespace

std::vector<Area> parse_areas(std::string_view text) {
  std::vector<Area> areas;
  while (!text.empty()) {
    const std::string_view line = take(text, '\n');
    if (const auto area = parse_header(line)) {
      areas.push_back(*area);
    } else if (!areas.empty()) {
      parse_detail(line, areas.back());
    }
  }
  return areas;
}

std::vector<Part> parts_of(std::span<const Area> areas, std::size_t index, std::uint64_t stack_bytes,
                           std::span<const Range> arenas) {
  const Area& area = areas[index];
  const Part::Use use = use_of(areas, index, stack_bytes);
  if (!is_memory(area)) return {{area.range, use}};
  std::vector<Part> parts;
  std::uint64_t at = area.range.start;
  const std::uint64_t heap =
      use == Part::Use::mapped && area.writable ? thread_heap_start(areas, index) : area.range.end;
  const auto add = [&](std::uint64_t end, Part::Use part) {
    if (end <= at) return;
    parts.push_back({{at, end}, part});
    at = end;
  };
  const auto first = std::ranges::upper_bound(arenas, at, {}, &Range::end);
  for (auto arena = first; arena != arenas.end() && arena->start < heap; ++arena) {
    add(std::min(arena->start, heap), use);
    add(std::min(arena->end, heap), Part::Use::arena);
  }
  add(heap, use);
  add(area.range.end, Part::Use::c_heap);
  return parts;
}

Result<HeapRanges> heap_ranges(pid_t pid) {
  const auto areas = read_areas(pid, "maps");
  if (!areas) return fail(areas.error());
  std::vector<Range> wanted;
  for (const Area& area : *areas) {
    // A thread's stack and a .bss are in too: an arena may look like either, and they are small.
    if (is_memory(area) && area.readable && area.writable) wanted.push_back(area.range);
  }
  HeapRanges heap;
  // Huge reservations come last: they are what the bound is for.
  std::ranges::sort(wanted, {}, &Range::bytes);
  PageMap pages(pid);
  std::uint64_t left = most_pages;
  for (const Range& range : wanted) {
    const std::uint64_t needed = range.bytes() / page_bytes;
    if (needed > left) {
      heap.cut = true;
      break;
    }
    left -= needed;
    heap.swapped_bytes += pages.runs(range, [&heap](const Range& run) { heap.resident.push_back(run); });
  }
  for (const Range& run : heap.resident) heap.resident_bytes += run.bytes();
  join_touching(heap.resident);
  return heap;
}

Result<Range> image_data(pid_t pid, std::uint64_t address) {
  const auto areas = read_areas(pid, "maps");
  if (!areas) return fail(areas.error());
  Range data;
  for (const Area& area : *areas) {
    const bool usable = area.writable && (area.kind == Area::Kind::file || area.kind == Area::Kind::anonymous);
    if (data.end > address && (!usable || area.range.start != data.end)) break;
    if (!usable || area.range.start != data.end) data = area.range;
    data.end = area.range.end;
  }
  if (address < data.start || address >= data.end) return fail(fmt::format("no data of an image at {:#x}", address));
  // Memory that happens to follow the .bss is no part of it, and no interpreter's data are this large.
  data.end = std::min(data.end, data.start + (8U << 20));
  return data;
}

Result<MemoryClasses> memory_classes(pid_t pid, std::span<const Range> arenas) {
  const auto areas = read_areas(pid, "smaps");
  if (!areas) return fail(areas.error());
  const std::uint64_t stack_bytes = stack_limit(pid);
  std::vector<Range> sorted(arenas.begin(), arenas.end());
  std::ranges::sort(sorted, {}, &Range::start);
  PageMap pages(pid);
  MemoryClasses classes;
  for (std::size_t i = 0; i < areas->size(); ++i) {
    classes.swapped += (*areas)[i].swapped;
    std::uint64_t left = (*areas)[i].resident;
    const std::vector<Part> parts = parts_of(*areas, i, stack_bytes, sorted);
    const bool all = left == (*areas)[i].range.bytes();
    for (const Part& part : std::span(parts).first(parts.size() - 1)) {
      const std::uint64_t found = std::min(left, all ? part.range.bytes() : pages.resident(part.range));
      bytes_of(classes, part.use) += found;
      left -= found;
    }
    bytes_of(classes, parts.back().use) += left;
  }
  return classes;
}

}  // namespace asyncleak::census
