// --memory all: small blocks of Python's own allocator, and those it passes on to the C library's.
#include "memory_machine.h"

namespace asyncleak::fake {
namespace {

constexpr Address block = 0x7f1000000010, moved = 0x7f1000008010;

struct Small {
  std::uint64_t born, freed, unknown;
  bool operator==(const Small&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Small& small) {
  return out << small.born << " born, " << small.freed << " freed, " << small.unknown << " unknown";
}

struct Scene {
  Scene() : counted(line(12)), thread(counted) { Counted::memory().flags = AL_MEMORY_OBJECTS; }

  static Small small() {
    const al_memory& memory = Counted::memory();
    return {memory.small_born, memory.small_freed, memory.small_unknown};
  }
  // A function of Python's own allocator, and within it of the C library's.
  void object_malloc(std::uint64_t size, Address result) {
    thread.object = true;
    thread.enter(AL_CALL_MALLOC, {size});
    if (size == 0 || size > AL_SMALL_BYTES) c_library([&] { thread.malloc(size, result); });
    thread.leave(AL_CALL_MALLOC, result);
    thread.object = false;
  }
  void object_free(Address address, bool passed_on) {
    thread.object = true;
    thread.free(address);
    if (passed_on) c_library([&] { thread.free(address); });
    thread.object = false;
  }
  void object_realloc(Address old, std::uint64_t size, Address result, const Body& body = {}) {
    thread.object = true;
    thread.call(AL_CALL_REALLOC, {old, size}, result, [&] { c_library(body); });
    thread.object = false;
  }
  void c_library(const Body& body) {
    thread.object = false;
    if (body) body();
    thread.object = true;
  }

  Counted counted;
  Caller thread;
};

TEST_CASE("small blocks are those of 1 to 512 bytes that Python's own allocator gives") {
  Scene scene;
  scene.object_malloc(1, block);
  scene.object_malloc(512, block + 0x1000);
  scene.object_malloc(0, block + 0x2000);
  scene.object_malloc(513, block + 0x3000);
  scene.thread.malloc(100, block + 0x4000);
  scene.object_malloc(100, 0);
  CHECK(Counted::total() == Balance{1126, 5});
  CHECK(Scene::small() == Small{2, 0, 0});
  scene.object_free(block, false);
  scene.object_free(block + 0x1000, false);
  scene.object_free(block + 0x2000, true);
  scene.object_free(block + 0x3000, true);
  scene.thread.free(block + 0x4000);
  CHECK(Counted::total() == Balance{0, 0});
  CHECK(Scene::small() == Small{2, 2, 0});
  Counted::check_sound();
}

TEST_CASE("a small block that realloc moves, and one that it does not") {
  Scene scene;
  scene.object_malloc(100, block);
  scene.object_realloc(block, 200, moved);
  CHECK(Scene::small() == Small{2, 1, 0});
  scene.object_realloc(moved, 1000, 0);
  CHECK(Scene::small() == Small{2, 1, 0});
  scene.object_realloc(moved, 1000, block, [&] { scene.thread.malloc(1000, block); });
  CHECK(Scene::small() == Small{2, 2, 0});
  CHECK(Counted::total() == Balance{1000, 1});
  Counted::check_sound();
}

TEST_CASE("small blocks from before are told from what is passed on to free()") {
  Scene scene;
  scene.object_free(block, false);
  CHECK(Scene::small() == Small{0, 0, 1});
  scene.object_free(moved, true);
  CHECK(Scene::small() == Small{0, 0, 1});
  scene.thread.free(moved);  // by itself: nobody passed it on
  scene.thread.free(0);
  CHECK(Scene::small() == Small{0, 0, 1});
  // What realloc() gives back on its way is not unknown.
  scene.object_realloc(block, 1000, moved, [&] { scene.thread.free(block); });
  CHECK(Scene::small() == Small{0, 0, 1});
  Counted::memory().flags = 0;
  scene.object_free(block, false);
  CHECK(Scene::small() == Small{0, 0, 1});
  CHECK(Counted::memory().hits > 0);
}

}  // namespace
}  // namespace asyncleak::fake
