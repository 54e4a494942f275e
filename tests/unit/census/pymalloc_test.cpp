#include "census/pymalloc.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstring>
#include <map>

#include "live_python.h"

namespace asyncleak::census {
namespace {

// Answers each line with what it counts itself, after keeping or dropping blocks of known size: a bytes object of
// N bytes is N + 33 bytes large (Objects/bytesobject.c). The first rounds settle what the script itself needs.
constexpr const char* script = R"(
import json, sys
kept = [None] * 160000
def fill(first, count, size):
    for i in range(first, first + count):
        kept[i] = bytes(size)
def drop():
    for i in range(160000):
        kept[i] = None
def answer(line):
    if line == 'grow':
        fill(0, 100000, 200)
        fill(100000, 50000, 460)
        fill(150000, 10000, 1000)
    elif line == 'drop':
        drop()
    print(json.dumps({'blocks': sys.getallocatedblocks()}), flush=True)
answer('')
for line in sys.stdin:
    answer(line.strip())
)";

// The process itself: torn reads could not be told in a cache.
Heap uncached(const LivePython& live) {
  Heap heap = live.heap();
  heap.memory = &live.memory();
  return heap;
}

std::uint64_t blocks_of(const PymallocUse& use, std::uint32_t block_bytes) {
  const auto found = std::ranges::find(use.classes, block_bytes, &SizeClass::block_bytes);
  return found == use.classes.end() ? 0 : found->blocks;
}

bool uses_pymalloc(const LivePython& live) { return (live.heap().objects.flags & python::obj_gc_head) != 0; }

Result<PymallocUse> ask_and_read(LivePython& live, const char* line, ArenaVariables& found, std::uint64_t& counted) {
  const auto answer = live.ask(line);
  REQUIRE(answer);
  counted = answer->at("blocks").get<std::uint64_t>();
  return read_pymalloc(uncached(live), found);
}

TEST_CASE("blocks by the walk are the program's own, by size") {
  on_each_interpreter(script, [](LivePython& live) {
    if (!uses_pymalloc(live)) return;
    ArenaVariables found;
    std::uint64_t counted = 0, counted_after = 0;
    REQUIRE(ask_and_read(live, "drop", found, counted));
    REQUIRE(ask_and_read(live, "grow", found, counted));
    const auto before = ask_and_read(live, "drop", found, counted);
    REQUIRE(before);
    const ArenaVariables first_found = found;
    const auto after = ask_and_read(live, "grow", found, counted_after);
    REQUIRE(after);
    CHECK(first_found.arenas == found.arenas);

    CHECK(before->pools_missed == 0);
    CHECK(after->pools_missed == 0);
    std::map<std::uint32_t, std::int64_t> grown;
    for (const SizeClass& each : after->classes) grown[each.block_bytes] += static_cast<std::int64_t>(each.blocks);
    for (const SizeClass& each : before->classes) grown[each.block_bytes] -= static_cast<std::int64_t>(each.blocks);
    for (const auto& [block_bytes, blocks] : grown) {
      INFO(block_bytes);
      CHECK(blocks == (block_bytes == 240 ? 100'000 : block_bytes == 496 ? 50'000 : 0));
    }
    CHECK(after->used_bytes - before->used_bytes == 100'000 * 240 + 50'000 * 496);
    // The rest of what the program counts is larger than 512 bytes.
    CHECK(counted_after - counted == 160'000);
    CHECK(before->blocks <= counted);
    CHECK(counted - before->blocks < 2'000);

    CHECK(after->arena_bytes >= after->used_bytes + after->free_bytes);
    CHECK(after->arena_bytes < after->used_bytes * 2);
    std::uint64_t mapped = 0;
    for (const Range& arena : after->arenas) mapped += arena.bytes();
    CHECK(mapped == after->arena_bytes);
    CHECK(std::ranges::is_sorted(after->arenas, {}, &Range::start));
  });
}

TEST_CASE("without pymalloc there is a reason, not a zero") {
  // LivePython starts it isolated from the environment: it replaces itself.
  const std::string with_malloc = R"(
import json, os, sys, sysconfig
source = 'import sys; print(chr(123) + chr(125), flush=True); sys.stdin.read()'
if sysconfig.get_config_var('Py_GIL_DISABLED'):  # has mimalloc only
    exec(source)
else:
    os.execve(sys.executable, [sys.executable, '-c', source], dict(os.environ, PYTHONMALLOC='malloc'))
)";
  on_each_interpreter(with_malloc, [](LivePython& live) {
    ArenaVariables found;
    const auto use = read_pymalloc(uncached(live), found);
    REQUIRE_FALSE(use);
    CHECK(use.error().message.starts_with("pymalloc is not used: "));
  });
}

TEST_CASE("a subinterpreter with an allocator of its own is counted with the main one") {
  const std::string sub = R"(
import json, sys
try:
    import _xxsubinterpreters as interpreters
    create = lambda: interpreters.create()
except ImportError:
    try:
        import _interpreters as interpreters
        create = lambda: interpreters.create('isolated')
    except ImportError:
        interpreters = None
keep = []
source = '''
import sys
kept = [bytes(400) for _ in range(20000)]
'''
print(json.dumps({'there': interpreters is not None}), flush=True)
for line in sys.stdin:
    if interpreters is not None:
        keep.append(create())
        interpreters.run_string(keep[-1], source)
    print(json.dumps({}), flush=True)
for each in keep:
    interpreters.destroy(each)
)";
  on_each_interpreter(sub, [](LivePython& live) {
    if (!uses_pymalloc(live) || !live.said().at("there").get<bool>()) return;
    ArenaVariables found;
    const auto before = read_pymalloc(uncached(live), found);
    REQUIRE(before);
    REQUIRE(live.ask("create"));
    const auto after = read_pymalloc(uncached(live), found);
    REQUIRE(after);
    const std::uint64_t grown = blocks_of(*after, 448) - blocks_of(*before, 448);
    CHECK(grown >= 20'000);
    CHECK(grown < 20'200);
  });
}

TEST_CASE("a walk while arenas come and go gives numbers that existed") {
  const std::string churn = R"(
import json, sys, threading
go_on = True
def work():
    while go_on:
        kept = [bytes(400) for _ in range(100000)]
        del kept
thread = threading.Thread(target=work)
thread.start()
print(json.dumps({}), flush=True)
sys.stdin.read()
go_on = False
)";
  on_each_interpreter(
      churn,
      [](LivePython& live) {
        if (!uses_pymalloc(live)) return;
        ArenaVariables found;
        for (int i = 0; i < 50; ++i) {
          const auto use = read_pymalloc(uncached(live), found);
          INFO((use ? std::string() : use.error().message));
          REQUIRE(use);
          CHECK(blocks_of(*use, 448) < 102'000);
          CHECK(use->blocks < 1'000'000);
        }
      },
      LivePython::Wait::no);
}

// One arena in a byte array, as 3.13 keeps them: for what a living process does not show.
class FakeArenas final : public python::RemoteMemory {
 public:
  static constexpr std::uint64_t base = 0x10000, table = base + 0x1000, arena = 0x100000, pool_bytes = 16384;

  FakeArenas() : low_(0x4000), high_(4 * pool_bytes) {
    put(low_, 0x100, base + 0x200);  // _PyRuntime: the interpreter
    put(low_, 0x208, base + 0x400);  // its obmalloc state
    put(low_, 0x400 + 512, table);   // arenas
    put(low_, 0x400 + 520, 16U);     // maxarenas
    put(low_, 0x1000, arena);
    put(low_, 0x1008, arena + 3 * pool_bytes);
    put(low_, 0x1010, 61U);
    put(low_, 0x1014, 64U);
    pool(0, 10, 0, 14);  // ten blocks of 240 bytes
    pool(1, 0, 0, 14);   // an empty one
    pool(2, 1, 0, 31);   // one block of 512 bytes
  }

  void pool(std::size_t index, std::uint32_t blocks, std::uint32_t arena_index, std::uint32_t size_class) {
    put(high_, index * pool_bytes, blocks);
    put(high_, index * pool_bytes + 32, arena_index);
    put(high_, index * pool_bytes + 36, size_class);
  }
  template <class T>
  void put_low(std::size_t offset, T value) {
    put(low_, offset, value);
  }
  bool growing = false;  // the table is always somewhere else

  [[nodiscard]] Result<void> read(std::uint64_t address, std::span<std::byte> out) const override {
    if (growing && address == base + 0x400 + 512) moved_ ^= 48;
    const bool high = address >= arena;
    const auto& bytes = high ? high_ : low_;
    const std::uint64_t offset = address - (high ? arena : base);
    if (address < base || offset > bytes.size() || out.size() > bytes.size() - offset) return fail("nothing there");
    std::memcpy(out.data(), bytes.data() + offset, out.size());
    if (growing && address == base + 0x400 + 512) out[0] ^= static_cast<std::byte>(moved_);
    return {};
  }

  [[nodiscard]] Heap heap() const {
    Heap heap;
    heap.memory = this;
    heap.layout.runtime = base;
    heap.layout.runtime_interpreters = 0x100;
    heap.layout.interp_next = 0x300;
    heap.objects.flags = python::obj_gc_head | python::obj_arenas_in_interp | python::obj_obmalloc_pointer;
    heap.objects.interp_obmalloc = 8;
    heap.objects.obmalloc_arenas = 512;
    heap.objects.obmalloc_max_arenas = 520;
    heap.objects.pool_bytes = pool_bytes;
    heap.objects.pool_count = 0;
    heap.objects.pool_size_class = 36;
    return heap;
  }

 private:
  template <class T>
  static void put(std::vector<std::byte>& bytes, std::size_t offset, T value) {
    std::memcpy(bytes.data() + offset, &value, sizeof value);
  }
  std::vector<std::byte> low_, high_;
  mutable unsigned moved_ = 0;
};

TEST_CASE("pools add up by size; empty ones have none") {
  const FakeArenas memory;
  ArenaVariables found;
  const auto use = read_pymalloc(memory.heap(), found);
  REQUIRE(use);
  CHECK(use->classes == std::vector<SizeClass>{{240, 10, 1}, {512, 1, 1}});
  CHECK(use->blocks == 11);
  CHECK(use->used_bytes == 10 * 240 + 512);
  CHECK(use->free_bytes == (68 - 10) * 240 + (31 - 1) * 512);
  CHECK(use->arenas == std::vector<Range>{{FakeArenas::arena, FakeArenas::arena + (1 << 20)}});
  CHECK(use->pools_missed == 0);
  CHECK(found.arenas == 0);
}

TEST_CASE("a pool that contradicts itself is missed, not counted") {
  FakeArenas memory;
  SECTION("of another arena") { memory.pool(0, 10, 3, 14); }
  SECTION("of no size class") { memory.pool(0, 10, 0, 0xffff); }
  SECTION("with more blocks than fit") { memory.pool(0, 69, 0, 14); }
  ArenaVariables found;
  const auto use = read_pymalloc(memory.heap(), found);
  REQUIRE(use);
  CHECK(use->classes == std::vector<SizeClass>{{512, 1, 1}});
  CHECK(use->pools_missed == 1);
}

TEST_CASE("a table that is no table is refused") {
  FakeArenas memory;
  std::string reason;
  SECTION("entries beyond belief") {
    memory.put_low(0x1014, 100'000U);
    reason = "pymalloc's table of arenas changed 10 times while it was read";
  }
  SECTION("a count beyond belief") {
    memory.put_low(0x400 + 520, 1U << 30);
    reason = "pymalloc's table of arenas changed 10 times while it was read";
  }
  SECTION("it moves each time") {
    memory.growing = true;
    reason = "pymalloc's table of arenas changed 10 times while it was read";
  }
  SECTION("none at all") {
    memory.put_low(0x400 + 512, std::uint64_t{0});
    reason = "pymalloc is not used: it has no arenas (PYTHONMALLOC?)";
  }
  SECTION("interpreters in a circle") {
    memory.put_low(0x200 + 0x300, FakeArenas::base + 0x200);
    memory.put_low(0x400 + 512, std::uint64_t{0});
    reason = "pymalloc is not used: it has no arenas (PYTHONMALLOC?)";
  }
  ArenaVariables found;
  const auto use = read_pymalloc(memory.heap(), found);
  REQUIRE_FALSE(use);
  CHECK(use.error().message == reason);
}

// Run by its name: unit_census "[timing]".
TEST_CASE("how long a walk takes", "[.timing]") {
  const std::string large = R"(
import json, sys
kept = [bytes(460) for _ in range(2000000)]
print(json.dumps({}), flush=True)
sys.stdin.read()
)";
  on_each_interpreter(large, [](LivePython& live) {
    if (!uses_pymalloc(live)) return;
    ArenaVariables found;
    for (int i = 0; i < 2; ++i) {
      const auto began = std::chrono::steady_clock::now();
      const auto use = read_pymalloc(uncached(live), found);
      const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - began;
      REQUIRE(use);
      WARN(live.version() << ": " << use->arenas.size() << " arenas, " << use->arena_bytes / (1 << 20) << " MiB, "
                          << use->blocks << " blocks in " << took.count() << " ms");
    }
  });
}

}  // namespace
}  // namespace asyncleak::census
