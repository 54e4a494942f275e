#include "census/pymalloc.h"

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <optional>

namespace asyncleak::census {
namespace {

// Objects/obmalloc.c, Include/internal/pycore_obmalloc.h: struct arena_object and struct pool_header are the same on
// 64 bits from 3.8 to 3.15, but for the size of a pool.
struct ArenaObject {
  std::uint64_t address;  // 0: not in use
  std::uint64_t next_new_pool;
  std::uint32_t free_pools, total_pools;
  std::uint64_t links[3];
};
constexpr std::size_t pool_header_bytes = 48;
constexpr std::size_t pool_arena_index = 32;
constexpr std::uint32_t size_classes = 32;  // 16, 32, ... 512 bytes
constexpr std::uint32_t class_step = 16;
constexpr std::uint32_t first_table = 16;           // INITIAL_ARENA_OBJECTS; the table doubles from there
constexpr std::uint32_t largest_table = 1U << 18;   // 256 GiB of arenas
constexpr std::uint32_t most_pools_in_arena = 256;  // 64, or 63 where the arena is not aligned to a pool
constexpr std::uint64_t most_interpreters = 1024;
constexpr int attempts = 10;  // an entry changes within microseconds, and a table is read in as many

struct Table {
  std::uint64_t arenas = 0;
  std::uint32_t count = 0;
  bool operator==(const Table&) const = default;
};

template <class T>
T at(std::span<const std::byte> bytes, std::size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

std::uint64_t first_pool(const Heap& heap, const ArenaObject& arena) {
  const std::uint64_t mask = heap.objects.pool_bytes - 1;
  return (arena.address + mask) & ~mask;
}

// An entry is free, or describes an arena as they are.
bool plausible(const Heap& heap, const ArenaObject& arena) {
  if (arena.address == 0) return true;
  if (arena.address % 4096 != 0 || arena.address >> 47 != 0) return false;
  if (arena.total_pools == 0 || arena.total_pools > most_pools_in_arena || arena.free_pools > arena.total_pools) {
    return false;
  }
  const std::uint64_t first = first_pool(heap, arena);
  const std::uint64_t carved = arena.next_new_pool - first;
  return arena.next_new_pool >= first && carved <= std::uint64_t{arena.total_pools} * heap.objects.pool_bytes;
}

Result<std::vector<ArenaObject>> read_table(const Heap& heap, const Table& table) {
  if (table.count > largest_table) return fail(fmt::format("pymalloc's table cannot have {} arenas", table.count));
  std::vector<ArenaObject> arenas(table.count);
  if (auto ok = heap.memory->read(table.arenas, std::as_writable_bytes(std::span(arenas))); !ok) {
    return fail(ok.error());
  }
  return arenas;
}

// Every entry is plausible, and the first pool of the first arena in use says which entry it belongs to: this is
// the beginning of the table.
bool is_table(const Heap& heap, const Table& table) {
  const auto arenas = read_table(heap, table);
  if (!arenas) return false;
  if (!std::ranges::all_of(*arenas, [&heap](const ArenaObject& arena) { return plausible(heap, arena); })) return false;
  const auto used = std::ranges::find_if(*arenas, [&heap](const ArenaObject& arena) {
    return arena.address != 0 && arena.next_new_pool > first_pool(heap, arena);
  });
  if (used == arenas->end()) return false;
  const auto index = heap.memory->value<std::uint32_t>(first_pool(heap, *used) + pool_arena_index);
  return index && *index == static_cast<std::uint32_t>(used - arenas->begin());
}

Table table_at(const Heap& heap, const ArenaVariables& variables) {
  return {heap.word(variables.arenas), heap.memory->value<std::uint32_t>(variables.max_arenas).value_or(0)};
}

bool may_be_count(std::uint32_t value) {
  return value >= first_table && value <= largest_table && std::has_single_bit(value);
}

// `static struct arena_object* arenas` and `static uint maxarenas` have no symbol, but the compiler keeps them
// together: the count one or two words before the pointer on every build seen.
Result<ArenaVariables> find_variables(const Heap& heap) {
  const auto data = image_data(heap.pid, heap.layout.runtime + heap.bias);
  if (!data) return fail(data.error());
  std::vector<std::byte> bytes(data->bytes());
  if (auto ok = heap.memory->read(data->start, bytes); !ok) return fail(ok.error());
  std::optional<ArenaVariables> found;
  std::uint64_t found_table = 0;
  for (std::size_t i = 2 * sizeof(std::uint64_t); i + sizeof(std::uint64_t) <= bytes.size();
       i += sizeof(std::uint64_t)) {
    const auto pointer = at<std::uint64_t>(bytes, i);
    if (pointer < 0x10000 || pointer >> 47 != 0 || pointer % 8 != 0 || pointer == found_table) continue;
    for (const std::size_t distance : {8, 16}) {
      const auto count = at<std::uint32_t>(bytes, i - distance);
      if (!may_be_count(count) || !is_table(heap, {pointer, count})) continue;
      if (found) return fail("more than one table of pymalloc's arenas is to be seen");
      found = {data->start + i, data->start + i - distance};
      found_table = pointer;
      break;
    }
  }
  if (!found) return fail("pymalloc is not used: the interpreter's data have no table of arenas (PYTHONMALLOC?)");
  return *found;
}

// Interpreters with a state of their own; those which share the main one's are left out.
std::vector<ArenaVariables> variables_of_interpreters(const Heap& heap) {
  std::vector<ArenaVariables> all;
  std::uint64_t interpreter = heap.word(heap.layout.runtime + heap.bias + heap.layout.runtime_interpreters);
  for (std::uint64_t i = 0; interpreter != 0 && i < most_interpreters; ++i) {
    const std::uint64_t field = interpreter + heap.objects.interp_obmalloc;
    const std::uint64_t state = (heap.objects.flags & python::obj_obmalloc_pointer) != 0 ? heap.word(field) : field;
    const ArenaVariables variables{state + heap.objects.obmalloc_arenas, state + heap.objects.obmalloc_max_arenas};
    const auto same = [&variables](const ArenaVariables& other) { return other.arenas == variables.arenas; };
    if (state != 0 && std::ranges::none_of(all, same)) all.push_back(variables);
    interpreter = heap.word(interpreter + heap.layout.interp_next);
  }
  return all;
}

Result<std::vector<ArenaVariables>> all_variables(const Heap& heap, ArenaVariables& found) {
  // Objects/obmalloc.c, Py_GIL_DISABLED: mimalloc is the only allocator there.
  if ((heap.objects.flags & python::obj_gc_head) == 0) {
    return fail("pymalloc is not used: free-threaded builds allocate with mimalloc");
  }
  if ((heap.objects.flags & python::obj_arenas_in_interp) != 0) return variables_of_interpreters(heap);
  // What looks wrong may be an arena that is just mapped or unmapped.
  for (int i = 0; found.arenas != 0 && i < attempts; ++i) {
    if (is_table(heap, table_at(heap, found))) return std::vector{found};
  }
  Result<ArenaVariables> variables = find_variables(heap);
  for (int i = 1; !variables && i < attempts; ++i) variables = find_variables(heap);
  if (!variables) return fail(variables.error());
  found = *variables;
  return std::vector{found};
}

// The table is reallocated when it grows: what was read is one only if it has not moved meanwhile.
Result<std::vector<ArenaObject>> read_stable_table(const Heap& heap, const ArenaVariables& variables) {
  for (int i = 0; i < attempts; ++i) {
    const Table table = table_at(heap, variables);
    if (table.arenas == 0) return std::vector<ArenaObject>{};
    auto arenas = read_table(heap, table);
    const bool whole =
        arenas && std::ranges::all_of(*arenas, [&heap](const ArenaObject& arena) { return plausible(heap, arena); });
    if (whole && table_at(heap, variables) == table) return arenas;
  }
  return fail(fmt::format("pymalloc's table of arenas changed {} times while it was read", attempts));
}

// Reads pool headers in bulk and adds them up.
class Pools {
 public:
  Pools(const Heap* heap, PymallocUse* use) : heap_(heap), use_(use), classes_(size_classes) {
    addresses_.reserve(at_once);
    arenas_.reserve(at_once);
  }

  void add(std::uint64_t address, std::uint32_t arena) {
    addresses_.push_back(address);
    arenas_.push_back(arena);
    if (addresses_.size() == at_once) flush();
  }

  // After the last: fills in the classes.
  void finish() {
    flush();
    for (const SizeClass& each : classes_) {
      if (each.pools == 0) continue;
      const std::uint64_t bytes = each.blocks * each.block_bytes;
      use_->classes.push_back(each);
      use_->blocks += each.blocks;
      use_->used_bytes += bytes;
      use_->free_bytes += each.pools * capacity(each.block_bytes) * each.block_bytes - bytes;
    }
  }

 private:
  static constexpr std::size_t at_once = 1024;

  [[nodiscard]] std::uint64_t capacity(std::uint32_t block_bytes) const {
    return (heap_->objects.pool_bytes - pool_header_bytes) / block_bytes;
  }

  void flush() {
    use_->pools_missed += addresses_.size() - heap_->memory->read_each(addresses_, pool_header_bytes, headers_);
    for (std::size_t i = 0; i < addresses_.size(); ++i) {
      count(std::span(headers_).subspan(i * pool_header_bytes, pool_header_bytes), arenas_[i]);
    }
    addresses_.clear();
    arenas_.clear();
  }

  void count(std::span<const std::byte> header, std::uint32_t arena) {
    const auto blocks = at<std::uint32_t>(header, heap_->objects.pool_count);
    if (blocks == 0) return;  // of no class: the next allocation gives it one
    const auto index = at<std::uint32_t>(header, heap_->objects.pool_size_class);
    const std::uint32_t block_bytes = (index + 1) * class_step;
    if (at<std::uint32_t>(header, pool_arena_index) != arena || index >= size_classes ||
        blocks > capacity(block_bytes)) {
      ++use_->pools_missed;
      return;
    }
    SizeClass& counted = classes_[index];
    counted.block_bytes = block_bytes;
    counted.blocks += blocks;
    ++counted.pools;
  }

  const Heap* heap_;
  PymallocUse* use_;
  std::vector<SizeClass> classes_;
  std::vector<std::uint64_t> addresses_;
  std::vector<std::uint32_t> arenas_;
  std::vector<std::byte> headers_ = std::vector<std::byte>(at_once * pool_header_bytes);
};

}  // namespace

Result<PymallocUse> read_pymalloc(const Heap& heap, ArenaVariables& found) {
  const auto all = all_variables(heap, found);
  if (!all) return fail(all.error());
  PymallocUse use;
  Pools pools(&heap, &use);
  std::uint64_t looked_at = 0;
  for (const ArenaVariables& variables : *all) {
    const auto arenas = read_stable_table(heap, variables);
    if (!arenas) return fail(arenas.error());
    for (std::uint32_t i = 0; i < arenas->size(); ++i) {
      const ArenaObject& arena = (*arenas)[i];
      if (arena.address == 0) continue;
      const std::uint64_t first = first_pool(heap, arena);
      // An arena which is not aligned to a pool loses one (new_arena: --ntotalpools).
      const std::uint64_t spare = first == arena.address ? 0 : heap.objects.pool_bytes;
      const std::uint64_t bytes = std::uint64_t{arena.total_pools} * heap.objects.pool_bytes + spare;
      use.arenas.push_back({arena.address, arena.address + bytes});
      use.arena_bytes += bytes;
      for (std::uint64_t pool = first; pool < arena.next_new_pool; pool += heap.objects.pool_bytes) {
        pools.add(pool, i);
        ++looked_at;
      }
    }
  }
  pools.finish();
  if (use.arenas.empty()) return fail("pymalloc is not used: it has no arenas (PYTHONMALLOC?)");
  if (looked_at > 0 && use.pools_missed == looked_at)
    return fail("pymalloc's pools cannot be read: did the process end?");
  std::ranges::sort(use.arenas, {}, &Range::start);
  return use;
}

}  // namespace asyncleak::census
