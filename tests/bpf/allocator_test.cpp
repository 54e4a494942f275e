// Every way to allocate and to free, outside any task.
#include <cerrno>
#include <cstring>

#include "allocator_scene.h"

namespace asyncleak::fake {
namespace {

using Scene = AllocatorScene;

constexpr std::uint64_t large = 1ULL << 32;

TEST_CASE("malloc") {
  Scene scene;
  scene.thread.malloc(100, block);
  Scene::check(100, 1);
  scene.thread.malloc(0, moved);  // a block all the same
  Scene::check(100, 2);
  scene.thread.malloc(10, moved + 8);  // as small ones lie
  Scene::check(110, 3);
  scene.thread.free(moved + 8);
  scene.thread.malloc(100, 0);  // failed
  Scene::check(100, 2);
  scene.thread.free(moved);
  scene.thread.free(block);
  Scene::check(0, 0);
  CHECK(Counted::memory().hits == 11);
  CHECK(Counted::memory().return_hits == 4);
}

TEST_CASE("calloc: the product, and nothing when it overflows") {
  struct Case {
    std::uint64_t count, size, product;
  };
  const auto fits = GENERATE(values<Case>({{3, 100, 300},
                                           {100, 3, 300},
                                           {0, 100, 0},
                                           {large, 100, 100 * large},
                                           {7, large + 5, 7 * large + 35},
                                           {large - 1, large - 1, (large - 1) * (large - 1)},
                                           {large + 1, large - 1, large * large - 1},
                                           {~0ULL, 1, ~0ULL}}));
  CAPTURE(fits.count, fits.size);
  Scene scene;
  scene.thread.call(AL_CALL_CALLOC, {fits.count, fits.size}, block);
  REQUIRE(Counted::records().size() == 1);
  CHECK(Counted::records()[0].size == fits.product);
}

TEST_CASE("calloc or reallocarray of more than 64 bits fails, and touches nothing") {
  const auto [count, size] = GENERATE(table<std::uint64_t, std::uint64_t>(
      {{large, large}, {large + 1, large}, {~0ULL, 2}, {2, ~0ULL}, {3 * large, large / 2}, {~0ULL, ~0ULL}}));
  CAPTURE(count, size);
  Scene scene;
  scene.thread.call(AL_CALL_CALLOC, {count, size}, block);
  Scene::check(0, 0);
  scene.thread.malloc(100, block);
  scene.thread.call(AL_CALL_REALLOCARRAY, {block, count, size}, 0);
  Scene::check(100, 1);
  CHECK(Scene::freed() == 0);
}

TEST_CASE("realloc and reallocarray: the old block ends, the new one begins") {
  const bool array = GENERATE(false, true);
  const Address result = GENERATE(block, moved);
  Scene scene;
  scene.thread.malloc(100, block);
  if (array) {
    scene.thread.call(AL_CALL_REALLOCARRAY, {block, 20, 10}, result);
  } else {
    scene.thread.realloc(block, 200, result);
  }
  Scene::check(200, 1);
  CHECK(Scene::freed() == 1);
  scene.thread.free(result);
  Scene::check(0, 0);
}

TEST_CASE("realloc that fails leaves the old block as it was") {
  Scene scene;
  const Address task = scene.counted.new_task(U"work");
  scene.thread.step(task, [&] { scene.thread.malloc(100, block); });
  scene.thread.realloc(block, 1000, 0);
  CHECK(Counted::balance(U"work") == Balance{100, 1});
  CHECK(Scene::freed() == 0);
  Scene::check(100, 1);
}

TEST_CASE("realloc that fails where there is no room to put the record back: its end will not be seen") {
  Scene scene;
  scene.thread.malloc(100, block);
  scene.thread.enter(AL_CALL_REALLOC, {block, 1000});
  auto& bucket = *kernel().map("allocations").find<al_allocation_bucket>(std::uint32_t{0});
  al_allocation_buckets = 1;
  for (__u64& key : bucket.keys) key = 1;
  kernel().map("crowded_out").resize(0);
  scene.thread.leave(AL_CALL_REALLOC, 0);
  for (__u64& key : bucket.keys) key = 0;
  CHECK(Counted::memory().untracked_blocks == 1);
  CHECK(Counted::counters(Counted::site(U"")).untracked_blocks == 1);
  CHECK(Counted::counters(Counted::site(U"")).untracked_bytes == 100);
  Counted::check_sound();
}

TEST_CASE("realloc to nothing frees, whether it returns a block or not") {
  Scene scene;
  scene.thread.malloc(100, block);
  scene.thread.realloc(block, 0, 0);
  Scene::check(0, 0);
  scene.thread.malloc(100, block);
  scene.thread.realloc(block, 0, moved);
  Scene::check(0, 1);
  CHECK(Scene::freed() == 2);
}

TEST_CASE("realloc of nothing, or of a block that is not known, is an allocation") {
  const Address old = GENERATE(Address{0}, moved);
  Scene scene;
  scene.thread.realloc(old, 100, block);
  Scene::check(100, 1);
  CHECK(Scene::freed() == 0);
}

TEST_CASE("what realloc moves is charged to who moved it") {
  Scene scene;
  const Address first = scene.counted.new_task(U"first"), other = scene.counted.new_task(U"other");
  scene.thread.step(first, [&] { scene.thread.malloc(100, block); });
  scene.thread.step(other, [&] { scene.thread.realloc(block, 200, moved); });
  CHECK(Counted::balance(U"first") == Balance{0, 0});
  CHECK(Counted::balance(U"other") == Balance{200, 1});
}

TEST_CASE("aligned allocation") {
  Scene scene;
  scene.thread.call(AL_CALL_ALIGNED, {4096, 100}, block);
  Scene::check(100, 1);
}

TEST_CASE("posix_memalign stores the block, and returns an error or 0") {
  Scene scene;
  Memory& memory = *scene.counted.process.memory;
  const Address store = memory.allocate(8);
  memory.put<Address>(store, 0);
  scene.thread.enter(AL_CALL_POSIX_MEMALIGN, {store, 64, 100});
  memory.put<Address>(store, block);
  scene.thread.leave(AL_CALL_POSIX_MEMALIGN, 0);
  Scene::check(100, 1);
  scene.thread.call(AL_CALL_POSIX_MEMALIGN, {store, 64, 200}, ENOMEM);
  Scene::check(100, 1);
  // An int: the upper half of the register is nobody's.
  memory.put<Address>(store, moved);
  scene.thread.call(AL_CALL_POSIX_MEMALIGN, {store, 64, 300}, 0xdb00000000);
  Scene::check(400, 2);
  memory.hide(store, 8);
  scene.thread.call(AL_CALL_POSIX_MEMALIGN, {store, 64, 400}, 0);
  Scene::check(400, 2);
  // The next one is no posix_memalign any more.
  scene.thread.malloc(500, block + 0x100);
  Scene::check(900, 3);
}

TEST_CASE("smaller blocks than asked for are not looked at") {
  Scene scene;
  Memory& memory = *scene.counted.process.memory;
  Counted::memory().min_size = 100;
  scene.thread.malloc(99, block);
  scene.thread.call(AL_CALL_CALLOC, {9, 11}, block);
  scene.thread.call(AL_CALL_ALIGNED, {64, 99}, block);
  scene.thread.pass(AL_CALL_MALLOC_RETURN, {block, 99});
  scene.thread.call(AL_CALL_POSIX_MEMALIGN, {memory.allocate(8), 8, 99}, 0);
  CHECK(kernel().map("memory_threads").size() == 0);
  scene.thread.pass(AL_CALL_MALLOC_NOTED, {99});
  scene.thread.pass(AL_CALL_MALLOC_DONE, {block});
  Scene::check(0, 0);
  scene.thread.malloc(100, block);
  Scene::check(100, 1);
  scene.thread.realloc(block, 99, block);  // grown small
  Scene::check(0, 0);
  scene.thread.realloc(block, 100, block);  // grown large
  Scene::check(100, 1);
  scene.thread.malloc(200, block + 0x100);
  scene.thread.malloc(99, block + 0x200);  // its return is nobody's
  Scene::check(300, 2);
}

TEST_CASE("free of nothing, of what is not known, and twice") {
  Scene scene;
  scene.thread.malloc(100, block);
  scene.thread.free(0);
  scene.thread.free(moved);
  Scene::check(100, 1);
  scene.thread.free(block);
  scene.thread.free(block);
  Scene::check(0, 0);
  CHECK(Scene::freed() == 1);
}

TEST_CASE("an address allocated again was freed where no probe is") {
  Scene scene;
  const Address task = scene.counted.new_task(U"work");
  scene.thread.step(task, [&] { scene.thread.malloc(100, block); });
  scene.thread.malloc(200, block);
  CHECK(Counted::balance(U"work") == Balance{0, 0});
  Scene::check(200, 1);
}

TEST_CASE("a million reuses of an address leave nothing behind") {
  Scene scene;
  for (int i = 0; i < 1'000'000; i++) {
    scene.thread.pass(AL_CALL_MALLOC_RETURN, {block, 100});
    scene.thread.free(block);
  }
  scene.thread.malloc(7, moved);
  Scene::check(7, 1);
  CHECK(Scene::freed() == 1'000'000);
}

TEST_CASE("an allocator's arguments are taken from the registers the cookie names") {
  constexpr std::uint8_t count = 15, rsp = 19;  // r15 ... rdi
  for (std::uint8_t first = 0; first < count; first++) {
    CAPTURE(first);
    const Scene scene;
    const auto other = static_cast<std::uint8_t>((first + 1) % count);
    std::uint64_t regs[21] = {};
    regs[first] = block;
    regs[other] = 100;
    regs[rsp] = 0x7ffd00000000;
    const auto fire = [&](int (*program)(void*), al_call function) {
      const al_memory_cookie cookie{Counted::index, static_cast<__u8>(function), first, other, 0, 0, 0};
      std::memcpy(&kernel().cookie, &cookie, sizeof(cookie));
      scene.thread.run();
      program(regs);
    };
    fire(passing_malloc, AL_CALL_MALLOC_RETURN);
    Scene::check(100, 1);
    fire(freeing, AL_CALL_FREE);
    Scene::check(0, 0);
  }
}

TEST_CASE("a call that is none of an allocator's is nobody's") {
  Scene scene;
  scene.thread.call(AL_CALL_FREE, {block}, block);
  Scene::check(0, 0);
}

}  // namespace
}  // namespace asyncleak::fake
