#include "census/memory_map.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <fstream>
#include <sstream>

#include "live_python.h"

namespace asyncleak::census {
namespace {

using Use = Part::Use;
constexpr std::uint64_t stack_bytes = 8U << 20;

// All pieces of a map, in its order.
std::vector<Part> parts_in(std::string_view maps, std::span<const Range> arenas = {}) {
  const auto areas = parse_areas(maps);
  std::vector<Part> all;
  for (std::size_t i = 0; i < areas.size(); ++i) {
    const auto parts = parts_of(areas, i, stack_bytes, arenas);
    all.insert(all.end(), parts.begin(), parts.end());
  }
  return all;
}

TEST_CASE("lines of maps and smaps") {
  const auto areas = parse_areas(
      "00400000-00401000 r-xp 00000000 fe:00 248030                     /usr/bin/python3.11\n"
      "5592166c5000-559216883000 rw-p 00000000 00:00 0                          [heap]\n"
      "Size:               1784 kB\n"
      "Rss:                1700 kB\n"
      "SwapPss:              99 kB\n"
      "Swap:                 12 kB\n"
      "VmFlags: rd wr mr mw me ac sd \n"
      "7f39e4000000-7f39e4021000 rw-p 00000000 00:00 0 \n"
      "VmFlags: rd wr mr mw me gu ac nh \n"
      "7f39e4021000-7f39e8000000 ---p 00000000 00:00 0 \n"
      "7f39e8000000-7f39e8001000 rw-p 00000000 00:00 0                          [anon:cpython]\n"
      "7f39e8001000-7f39e8002000 rw-s 00000000 00:01 1025                       /memfd:x (deleted)\n"
      "7ffc1751d000-7ffc1753e000 rw-p 00000000 00:00 0                          [stack]\n"
      "7ffc1753e000-7ffc17540000 r-xp 00000000 00:00 0                          [vdso]\n"
      "not a line\n"
      "7ffc-7ff0 rw-p 00000000 00:00 0\n"
      "zz-7ff0 rw-p 00000000 00:00 0\n");
  REQUIRE(areas.size() == 8);
  using Kind = Area::Kind;
  const std::vector<Kind> kinds = {Kind::file,      Kind::heap,   Kind::anonymous, Kind::anonymous,
                                   Kind::anonymous, Kind::shared, Kind::stack,     Kind::kernel};
  for (std::size_t i = 0; i < areas.size(); ++i) {
    INFO(i);
    CHECK(areas[i].kind == kinds[i]);
  }
  CHECK(areas[1].range == Range{0x5592166c5000, 0x559216883000});
  CHECK(areas[1].resident == 1700 * 1024);
  CHECK(areas[1].swapped == 12 * 1024);
  CHECK_FALSE(areas[1].guarded);
  CHECK(areas[2].guarded);
  CHECK(areas[2].writable);
  CHECK_FALSE(areas[3].readable);
  CHECK(parse_areas("").empty());
  CHECK(parse_areas("Rss: 12 kB\n\n").empty());
}

TEST_CASE("a thread's heap is told by what it has reserved") {
  CHECK(parts_in("7f39e4000000-7f39e4021000 rw-p 00000000 00:00 0 \n"
                 "7f39e4021000-7f39e8000000 ---p 00000000 00:00 0 \n") ==
        std::vector<Part>{{{0x7f39e4000000, 0x7f39e4021000}, Use::c_heap},
                          {{0x7f39e4021000, 0x7f39e8000000}, Use::mapped}});
  // A large block lies below, and is one mapping with it.
  CHECK(parts_in("7fd148dff000-7fd14c021000 rw-p 00000000 00:00 0 \n"
                 "7fd14c021000-7fd150000000 ---p 00000000 00:00 0 \n") ==
        std::vector<Part>{{{0x7fd148dff000, 0x7fd14c000000}, Use::mapped},
                          {{0x7fd14c000000, 0x7fd14c021000}, Use::c_heap},
                          {{0x7fd14c021000, 0x7fd150000000}, Use::mapped}});
  // A page without access ends no heap.
  CHECK(parts_in("7fd14c000000-7fd14c021000 rw-p 00000000 00:00 0 \n"
                 "7fd14c021000-7fd14c022000 ---p 00000000 00:00 0 \n")[0]
            .use == Use::mapped);
}

TEST_CASE("stacks are told by their guard and size") {
  CHECK(parts_in("7f39fc5fa000-7f39fc5fb000 ---p 00000000 00:00 0 \n"
                 "7f39fc5fb000-7f39fcdfb000 rw-p 00000000 00:00 0 \n")[1]
            .use == Use::stack);
  CHECK(parts_in("7f39fc5fa000-7f39fc5fb000 ---p 00000000 00:00 0 \n"
                 "7f39fc5fb000-7f39fcdfa000 rw-p 00000000 00:00 0 \n")[1]
            .use == Use::mapped);
  CHECK(parts_in("7fd15e052000-7fd160857000 rw-p 00000000 00:00 0 \n"
                 "VmFlags: rd wr mr mw me gu ac nh \n")[0]
            .use == Use::stack);
}

TEST_CASE("what follows an image's data is its .bss, unless it is too large") {
  const std::string data = "00b00000-00be2000 rw-p 00700000 fe:00 248030       /usr/bin/python3.14\n";
  CHECK(parts_in(data + "00be2000-00c54000 rw-p 00000000 00:00 0 \n")[1].use == Use::file);
  CHECK(parts_in(data + "00be2000-00ce2000 rw-p 00000000 00:00 0 \n")[1].use == Use::mapped);
  const std::vector<Range> arena = {{0x00be2000, 0x00c22000}};
  CHECK(parts_in(data + "00be2000-00c54000 rw-p 00000000 00:00 0 \n", arena)[1].use == Use::arena);
  CHECK(parts_in(data + "00be3000-00c54000 rw-p 00000000 00:00 0 \n")[1].use == Use::mapped);
}

TEST_CASE("arenas are cut out of what they are mapped with") {
  const std::vector<Range> arenas = {
      {0x1000, 0x3000}, {0x7f0000100000, 0x7f0000200000}, {0x7f0000200000, 0x7f0000300000}};
  CHECK(parts_in("7f0000000000-7f0000280000 rw-p 00000000 00:00 0 \n"
                 "7f0000280000-7f0000400000 rw-p 00000000 00:00 0 \n",
                 arenas) == std::vector<Part>{{{0x7f0000000000, 0x7f0000100000}, Use::mapped},
                                              {{0x7f0000100000, 0x7f0000200000}, Use::arena},
                                              {{0x7f0000200000, 0x7f0000280000}, Use::arena},
                                              {{0x7f0000280000, 0x7f0000300000}, Use::arena},
                                              {{0x7f0000300000, 0x7f0000400000}, Use::mapped}});
}

std::uint64_t rss_of(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/smaps");
  std::uint64_t kibibytes = 0;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string key;
    std::uint64_t value = 0;
    if (words >> key && key == "Rss:" && words >> value) kibibytes += value;
  }
  return kibibytes * 1024;
}

bool contains(const HeapRanges& heap, std::uint64_t address) {
  const auto after = std::ranges::upper_bound(heap.resident, address, {}, &Range::end);
  return after != heap.resident.end() && after->start <= address;
}

// Objects of all sizes; memory that is mapped and never touched, touched, shared; threads that wait.
constexpr const char* script = R"(
import json, mmap, sys, threading
objects = [[i] for i in range(50000)] + [bytes(size) for size in range(1000, 400000, 1000)] + [{i: i} for i in range(2000)]
ready = threading.Event()
end = threading.Event()
threads = [threading.Thread(target=end.wait, daemon=True) for i in range(4)]
for thread in threads:
    thread.start()
untouched = mmap.mmap(-1, 64 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
shared = mmap.mmap(-1, 4 << 20)
shared.write(b'x' * (4 << 20))
kept = []
print(json.dumps({'ids': [id(each) for each in objects]}), flush=True)
for line in sys.stdin:
    kept.append(mmap.mmap(-1, 32 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS))
    for at in range(0, 32 << 20, 4096):
        kept[-1][at] = 1
    print(json.dumps({}), flush=True)
end.set()
)";

TEST_CASE("the resident ranges hold every object, and nothing that was never touched") {
  on_each_interpreter(script, [](LivePython& live) {
    const auto heap = heap_ranges(live.pid());
    REQUIRE(heap);
    std::size_t missing = 0;
    for (const auto& id : live.said().at("ids")) missing += contains(*heap, id.get<std::uint64_t>()) ? 0 : 1;
    CHECK(missing == 0);
    CHECK(heap->swapped_bytes == 0);
    CHECK_FALSE(heap->cut);
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < heap->resident.size(); ++i) {
      sum += heap->resident[i].bytes();
      if (i > 0) CHECK(heap->resident[i - 1].end < heap->resident[i].start);
    }
    CHECK(sum == heap->resident_bytes);
    CHECK(sum < rss_of(live.pid()));

    REQUIRE(live.ask("touch"));
    const auto after = heap_ranges(live.pid());
    REQUIRE(after);
    constexpr std::uint64_t touched = 32U << 20;
    CHECK(after->resident_bytes >= heap->resident_bytes + touched);
    CHECK(after->resident_bytes <= heap->resident_bytes + touched + (1U << 20));
  });
}

TEST_CASE("the classes of memory add up to the resident set, and what grows is in its class") {
  on_each_interpreter(script, [](LivePython& live) {
    const auto before = memory_classes(live.pid(), {});
    REQUIRE(before);
    CHECK(before->resident() == rss_of(live.pid()));
    CHECK(before->arenas == 0);
    CHECK(before->c_heap > 0);
    CHECK(before->stacks > 0);
    CHECK(before->stacks < 4U << 20);
    CHECK(before->shared >= 4U << 20);
    CHECK(before->files > 1U << 20);
    REQUIRE(live.ask("touch"));
    const auto after = memory_classes(live.pid(), {});
    REQUIRE(after);
    CHECK(after->resident() == rss_of(live.pid()));
    CHECK(after->mapped - before->mapped >= 32U << 20);
    CHECK(after->mapped - before->mapped < 34U << 20);
    CHECK(after->shared == before->shared);
    CHECK(after->stacks == before->stacks);

    // The same, were all of what grew an arena.
    const auto heap = heap_ranges(live.pid());
    REQUIRE(heap);
    const auto with_arenas = memory_classes(live.pid(), heap->resident);
    REQUIRE(with_arenas);
    CHECK(with_arenas->resident() == after->resident());
    CHECK(with_arenas->arenas >= after->mapped / 10 * 9);
  });
}

TEST_CASE("data of an image") {
  static int ours = 0;
  const auto address = reinterpret_cast<std::uint64_t>(&ours);
  const auto data = image_data(getpid(), address);
  REQUIRE(data);
  CHECK(data->start <= address);
  CHECK(address < data->end);
  CHECK_FALSE(image_data(getpid(), 0x1000));
}

TEST_CASE("a process that is gone has no memory") {
  constexpr pid_t nobody = 0x7ffffff0;
  CHECK_FALSE(heap_ranges(nobody));
  CHECK_FALSE(memory_classes(nobody, {}));
  CHECK_FALSE(image_data(nobody, 0));
  const pid_t child = fork();
  if (child == 0) _exit(0);
  siginfo_t ended;
  REQUIRE(waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOWAIT) == 0);
  CHECK_FALSE(heap_ranges(child));
  CHECK_FALSE(memory_classes(child, {}));
  waitpid(child, nullptr, 0);
}

// Run by its name: unit_census "[.timing]".
TEST_CASE("how long a look at the map takes", "[.timing]") {
  const std::string large = R"(
import json, sys
kept = [[] for _ in range(2000000)]
print(json.dumps({}), flush=True)
sys.stdin.read()
)";
  on_each_interpreter(large, [](LivePython& live) {
    const auto began = std::chrono::steady_clock::now();
    const auto heap = heap_ranges(live.pid());
    const auto between = std::chrono::steady_clock::now();
    const auto classes = memory_classes(live.pid(), {});
    const auto end = std::chrono::steady_clock::now();
    REQUIRE(heap);
    REQUIRE(classes);
    using Milliseconds = std::chrono::duration<double, std::milli>;
    WARN(live.version() << ": " << heap->resident_bytes / (1 << 20) << " MiB in " << heap->resident.size()
                        << " ranges; ranges " << Milliseconds(between - began).count() << " ms, classes "
                        << Milliseconds(end - between).count() << " ms");
  });
}

}  // namespace
}  // namespace asyncleak::census
