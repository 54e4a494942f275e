// The table of blocks that were not freed: nothing is lost in it and nothing stays.
#include <barrier>
#include <random>
#include <thread>
#include <unordered_map>

#include "interleave.h"
#include "memory_machine.h"

namespace asyncleak::fake {
namespace {

constexpr Address block = 0x7f1000000010;

std::uint64_t key_of(Address address) { return address >> 3 << AL_ALLOCATION_PROCESS_BITS | 1; }
al_allocation block_of(std::uint64_t size) { return {size, 10 * size, 3, 4}; }
bool take(std::uint64_t key, std::uint64_t& size) {
  al_allocation found{};
  if (host_take_allocation(key, &found) == 0) return false;
  const bool whole = found.born_ns == 10 * found.size && found.site == 3 && found.line == 4;
  size = whole ? found.size : ~0ULL;
  return true;
}
bool put(std::uint64_t key, std::uint64_t size) {
  al_allocation record = block_of(size);
  return host_put_allocation(key, &record) != 0;
}

// An empty table.
void make_table(std::uint32_t buckets, std::uint32_t crowded = 16384) {
  kernel().reset();
  al_allocation_buckets = buckets;
  kernel().map("allocations").resize(buckets);
  kernel().map("crowded_out").resize(crowded);
}

TEST_CASE("a million random blocks, taken and put, against a map") {
  make_table(64);
  std::mt19937_64 random(7);
  std::unordered_map<std::uint64_t, std::uint64_t> oracle;
  std::uint64_t most = 0, crowded = 0, mistakes = 0;
  const auto check = [&](bool is_right) { mistakes += is_right ? 0 : 1; };
  for (std::uint64_t i = 1; i <= 1'000'000; i++) {
    // Up to some 260 at a time, more than the 256 that fit.
    const std::uint64_t key = key_of(block + 16 * (random() % 520));
    const auto known = oracle.find(key);
    std::uint64_t size = 0;
    const bool found = take(key, size);
    check(found == (known != oracle.end()) && (!found || size == known->second));
    if (found) {
      oracle.erase(known);
    } else {
      check(put(key, i));
      oracle.emplace(key, i);
    }
    most = std::max<std::uint64_t>(most, oracle.size());
    crowded = std::max<std::uint64_t>(crowded, al_crowded_out);
  }
  CHECK(mistakes == 0);
  CHECK(most > 256);
  CHECK(crowded > 0);
  CHECK(Counted::records().size() == oracle.size());
  CHECK(kernel().map("crowded_out").size() == al_crowded_out);
  for (const auto& [key, wanted] : oracle) {
    std::uint64_t size = 0;
    REQUIRE(take(key, size));
    REQUIRE(size == wanted);
  }
  CHECK(Counted::records().empty());
  CHECK(al_crowded_out == 0);
}

TEST_CASE("a block that finds both its buckets full is crowded out, and not tracked when there is no room there") {
  make_table(1, 2);
  for (std::uint64_t i = 1; i <= 6; i++) CHECK(put(key_of(block + 16 * i), i));
  CHECK(al_crowded_out == 2);
  CHECK_FALSE(put(key_of(block + 16ULL * 7), 7));
  CHECK(al_crowded_out == 2);
  std::uint64_t size = 0;
  CHECK_FALSE(take(key_of(block + 16ULL * 7), size));
  for (std::uint64_t i = 1; i <= 6; i++) {
    CHECK(take(key_of(block + 16 * i), size));
    CHECK(size == i);
    CHECK_FALSE(take(key_of(block + 16 * i), size));
  }
  CHECK(al_crowded_out == 0);
}

TEST_CASE("both buckets of a key are used") {
  make_table(2, 0);
  int fit = 0;
  for (std::uint64_t i = 0; i < 100; i++) fit += put(key_of(block + 16 * i), i) ? 1 : 0;
  CHECK(fit == 2 * AL_BUCKET_SLOTS);
}

TEST_CASE("at the fill the table is sized for few are crowded out") {
  constexpr std::uint32_t buckets = 1 << 14;
  constexpr std::uint64_t blocks = std::uint64_t{buckets} * AL_BUCKET_SLOTS / 2;
  make_table(buckets);
  std::mt19937_64 random(11);
  const std::uint64_t spacing = GENERATE(16, 528, 2064, 65536);  // as allocators place them, or scattered
  CAPTURE(spacing);
  for (std::uint64_t i = 0; i < blocks; i++) {
    const Address address = spacing == 65536 ? random() >> 17 << 4 : block + spacing * i;
    REQUIRE(put(key_of(address), i));
  }
  CHECK(al_crowded_out * 1000 < blocks);
}

TEST_CASE("no room: charged, but its end will not be seen") {
  Counted counted(line(11), 1);
  Caller thread(counted);
  kernel().map("crowded_out").resize(1);
  const Address task = counted.new_task(U"work");
  thread.step(task, [&] {
    for (std::uint64_t i = 0; i < 7; i++) thread.malloc(100, block + 16 * i);
  });
  CHECK(Counted::memory().untracked_blocks == 2);
  const al_site_memory& memory = Counted::counters(Counted::site(U"work"));
  CHECK(memory.allocated_bytes == 700);
  CHECK(memory.untracked_bytes == 200);
  CHECK(memory.untracked_blocks == 2);
  CHECK(al_crowded_out == 1);
  Counted::check_sound();
  for (std::uint64_t i = 0; i < 7; i++) thread.free(block + 16 * i);
  CHECK(memory.freed_bytes == 500);
  CHECK(Counted::records().empty());
  Counted::check_sound();
}

TEST_CASE("a process's id above 2^20 is part of the key as far as it fits") {
  Counted counted(line(11));
  Caller thread(counted);
  counted.set_id((1U << 20) + 5);
  thread.malloc(100, block);
  thread.malloc(1000, block + 8);
  CHECK(Counted::total() == Balance{1100, 2});
  thread.free(block + 8);
  counted.set_id((3U << 20) + 6);  // the same address in another process
  thread.malloc(10, block);
  CHECK(Counted::total() == Balance{110, 2});
  thread.free(block);
  CHECK(Counted::total() == Balance{100, 1});
  thread.free(block);
  CHECK(Counted::total() == Balance{100, 1});
  counted.set_id((1U << 20) + 5);
  thread.free(block);
  CHECK(Counted::total() == Balance{0, 0});
  CHECK(Counted::records().empty());
}

TEST_CASE("two threads at the same buckets, changing over at every atomic operation: no block is lost or left") {
  struct Case {
    std::uint32_t crowded;
    std::uint64_t before;
  };
  const auto given = GENERATE(values<Case>({{16, 0}, {16, 2}, {16, 3}, {16, 4}, {0, 3}}));
  CAPTURE(given.crowded, given.before);
  std::uint64_t tracked = 0;
  const auto run = [&](const std::vector<int>& turns) {
    make_table(1, given.crowded);
    for (std::uint64_t i = 0; i < given.before; i++) put(key_of(block + 16 * (100 + i)), i);
    kernel().atomics_are_accesses = true;
    tracked = 0;
    const auto work = [&](std::uint64_t first) {
      return [&tracked, first] {
        const bool is_in = put(key_of(block + 16 * first), first);
        std::uint64_t size = 0;
        const bool was_in = take(key_of(block + 16 * first), size);
        REQUIRE(was_in == is_in);
        if (was_in) REQUIRE(size == first);
        tracked += put(key_of(block + 16 * first), first + 10) ? 1 : 0;
      };
    };
    return interleave(work(1), work(2), turns);
  };
  const Accesses most = run({0});
  REQUIRE(most.first > 5);
  for_each_interleaving(most, [&](const std::vector<int>& turns) {
    CAPTURE(turns);
    run(turns);
    REQUIRE(Counted::records().size() == given.before + tracked);
    REQUIRE(al_crowded_out == kernel().map("crowded_out").size());
  });
}

TEST_CASE("two threads free the same block: it is freed once") {
  const std::uint64_t before = GENERATE(0, 4);  // 4: it is crowded out
  const auto run = [&](const std::vector<int>& turns, int& freed) {
    make_table(1);
    for (std::uint64_t i = 0; i < before; i++) put(key_of(block + 16 * (100 + i)), i);
    put(key_of(block), 1);
    kernel().atomics_are_accesses = true;
    freed = 0;
    const auto work = [&freed] {
      std::uint64_t size = 0;
      freed += take(key_of(block), size) ? 1 : 0;
    };
    return interleave(work, work, turns);
  };
  int freed = 0;
  for_each_interleaving(run({0}, freed), [&](const std::vector<int>& turns) {
    CAPTURE(turns);
    run(turns, freed);
    REQUIRE(freed == 1);
    REQUIRE(al_crowded_out == 0);
    REQUIRE(Counted::records().size() == before);
  });
}

// Real ones, at the same two slots. More blocks could find the bucket full while one of them moves on, and crowded_out
// has no lock here.
TEST_CASE("two threads at once, a million times each") {
  make_table(1);
  (void)kernel().map("allocations").find<al_allocation_bucket>(std::uint32_t{0});
  std::barrier both(2);
  const auto work = [&both](std::uint64_t who, std::uint64_t& mistakes) {
    both.arrive_and_wait();
    for (std::uint64_t i = 0; i < 1'000'000; i++) {
      std::uint64_t size = 0;
      const bool is_in = put(key_of(block + 16 * who), i);
      const bool was_in = take(key_of(block + 16 * who), size) && size == i;
      mistakes += is_in && was_in ? 0 : 1;
    }
  };
  std::uint64_t mistakes = 0, mistakes_of_other = 0;
  std::thread other([&] { work(1, mistakes_of_other); });
  work(0, mistakes);
  other.join();
  CHECK(mistakes + mistakes_of_other == 0);
  CHECK(Counted::records().empty());
}

}  // namespace
}  // namespace asyncleak::fake
