// From the beginning of an allocation to its end: places inside malloc, allocators that call each other, lost returns.
#include "allocator_scene.h"

namespace asyncleak::fake {
namespace {

using Scene = AllocatorScene;

TEST_CASE("a place inside malloc, instead of its return") {
  Scene scene;
  scene.thread.enter(AL_CALL_FREE, {});  // a frame
  scene.thread.pass(AL_CALL_MALLOC_RETURN, {0, 100});
  Scene::check(0, 0);
  scene.thread.pass(AL_CALL_MALLOC_RETURN, {block, 100});
  Scene::check(100, 1);
  CHECK(Counted::memory().return_hits == 0);
}

TEST_CASE("two places inside malloc: its size at one, its block at the other") {
  Scene scene;
  scene.thread.pass(AL_CALL_MALLOC_NOTED, {100});
  scene.thread.pass(AL_CALL_MALLOC_DONE, {block});
  Scene::check(100, 1);
  scene.thread.pass(AL_CALL_MALLOC_DONE, {moved});  // another function's: nothing was noted
  Scene::check(100, 1);
  scene.thread.pass(AL_CALL_MALLOC_NOTED, {200});
  scene.thread.pass(AL_CALL_MALLOC_DONE, {0});  // the same call may pass a second place
  Scene::check(100, 1);
  scene.thread.pass(AL_CALL_MALLOC_DONE, {moved});
  Scene::check(300, 2);
  scene.thread.pass(AL_CALL_MALLOC_NOTED, {400});
  scene.thread.pass(AL_CALL_MALLOC_RETURN, {block + 0x100, 500});  // ends the note
  scene.thread.pass(AL_CALL_MALLOC_DONE, {block + 0x200});
  Scene::check(800, 3);
}

TEST_CASE("a note of a malloc that failed is in nobody's way") {
  Scene scene;
  scene.thread.realloc(0, 50, moved);
  scene.thread.pass(AL_CALL_MALLOC_NOTED, {100});
  scene.thread.call(AL_CALL_FREE, {}, 0, [&] {  // further in
    scene.thread.malloc(1, block);
    scene.thread.realloc(block, 10, block);
    scene.thread.pass(AL_CALL_MALLOC_RETURN, {block + 0x100, 20});
  });
  Scene::check(80, 3);
}

TEST_CASE("a return that comes while a size is noted is another function's") {
  Scene scene;
  Counted::memory().min_size = 50;
  scene.thread.enter(AL_CALL_CALLOC, {1, 10});  // too small to be looked at
  scene.thread.enter(AL_CALL_FREE, {});         // a frame
  scene.thread.pass(AL_CALL_MALLOC_NOTED, {100});
  scene.thread.leave_unseen();
  scene.thread.leave(AL_CALL_CALLOC, block);
  Scene::check(0, 0);
}

TEST_CASE("malloc inside realloc, calloc or posix_memalign is not counted twice") {
  const bool by_return = GENERATE(true, false);
  Scene scene;
  const auto inside = [&](Address result) {
    scene.thread.enter(AL_CALL_MALLOC, {200});
    if (!by_return) scene.thread.pass(AL_CALL_MALLOC_RETURN, {result, 200});
    scene.thread.leave(AL_CALL_MALLOC, result);
  };
  scene.thread.malloc(100, block);
  scene.thread.call(AL_CALL_REALLOC, {block, 200}, moved, [&] {
    inside(moved);
    scene.thread.free(block);
  });
  Scene::check(200, 1);
  CHECK(Scene::freed() == 1);
  scene.thread.call(AL_CALL_CALLOC, {20, 10}, block, [&] { inside(block); });
  Scene::check(400, 2);
  scene.thread.malloc(1, block + 0x100);  // not inside any more
  Scene::check(401, 3);
}

TEST_CASE("nested inside: a note of malloc belongs to what is around it") {
  Scene scene;
  scene.thread.call(AL_CALL_REALLOC, {0, 200}, block, [&] {
    scene.thread.enter(AL_CALL_MALLOC, {200});
    scene.thread.pass(AL_CALL_MALLOC_NOTED, {200});
    scene.thread.pass(AL_CALL_MALLOC_DONE, {block});
    scene.thread.leave_unseen();
  });
  Scene::check(200, 1);
}

TEST_CASE("a function that jumps to another one has one return") {
  Scene scene;
  // glibc's reallocarray() ends in `jmp realloc`, with its stack as it was.
  scene.thread.malloc(100, block);
  scene.thread.enter(AL_CALL_REALLOCARRAY, {block, 20, 10});
  scene.thread.jump(AL_CALL_REALLOC, {block, 200});
  scene.thread.leave(AL_CALL_REALLOC, moved);
  Scene::check(200, 1);
  CHECK(Scene::freed() == 1);
  // Its own return is trapped at the same place.
  scene.thread.enter(AL_CALL_FREE, {});
  scene.thread.leave(AL_CALL_REALLOCARRAY, moved);
  Scene::check(200, 1);
  // realloc(NULL) as a jump to malloc; one that fails.
  scene.thread.enter(AL_CALL_REALLOC, {0, 300});
  scene.thread.jump(AL_CALL_MALLOC, {300});
  scene.thread.leave(AL_CALL_MALLOC, block);
  Scene::check(500, 2);
  scene.thread.enter(AL_CALL_REALLOCARRAY, {block, 20, 10});
  scene.thread.jump(AL_CALL_REALLOC, {block, 200});
  scene.thread.leave(AL_CALL_REALLOC, 0);
  Scene::check(500, 2);
}

TEST_CASE("an allocation whose return is lost is forgotten by the next one as far out") {
  Scene scene;
  scene.thread.enter(AL_CALL_MALLOC, {100});
  scene.thread.leave_unseen();
  scene.thread.malloc(10, block);
  Scene::check(10, 1);
  scene.thread.leave_unseen();  // further out
  scene.thread.malloc(1, moved);
  Scene::check(11, 2);
}

TEST_CASE("realloc whose return is lost has freed what it was given") {
  Scene scene;
  scene.thread.malloc(100, block);
  scene.thread.enter(AL_CALL_REALLOC, {block, 200});
  scene.thread.leave_unseen();
  scene.thread.malloc(10, moved);
  Scene::check(10, 1);
  CHECK(Scene::freed() == 1);
}

TEST_CASE("realloc whose return is lost, of an address that is allocated again and given to realloc from elsewhere") {
  Scene scene;
  scene.thread.malloc(100, block);
  scene.thread.enter(AL_CALL_REALLOC, {block, 200});
  scene.thread.leave_unseen();
  scene.thread.pass(AL_CALL_MALLOC_RETURN, {block, 10});
  scene.thread.realloc(block, 20, moved);  // as far out
  Scene::check(20, 1);
  scene.thread.enter(AL_CALL_REALLOC, {moved, 200});
  scene.thread.leave_unseen();
  scene.thread.enter(AL_CALL_FREE, {});
  scene.thread.pass(AL_CALL_MALLOC_RETURN, {moved, 1});  // hidden: the realloc is still in front of it
  scene.thread.leave_unseen();
  scene.thread.leave_unseen();  // further out
  scene.thread.pass(AL_CALL_MALLOC_RETURN, {moved, 2});
  scene.thread.realloc(moved, 3, block);
  Scene::check(3, 1);
}

TEST_CASE("an allocation whose return is lost hides those further in, for ten thousand ticks") {
  Scene scene;
  scene.thread.enter(AL_CALL_MALLOC, {100});
  scene.thread.leave_unseen();
  const auto further_in = [&](Address result) {
    scene.thread.call(AL_CALL_FREE, {}, 0, [&] { scene.thread.malloc(10, result); });
  };
  scene.thread.enter(AL_CALL_FREE, {});
  kernel().jiffies += 9999;
  further_in(block);
  Scene::check(0, 0);
  kernel().jiffies += 1;
  further_in(block);
  Scene::check(10, 1);
}

TEST_CASE("another thread's return, and one of another process, end nothing") {
  Scene scene;
  Caller other(scene.counted, 101);
  scene.thread.enter(AL_CALL_MALLOC, {100});
  other.enter(AL_CALL_FREE, {});
  other.leave(AL_CALL_MALLOC, moved);
  Scene::check(0, 0);
  scene.counted.set_id(2);  // the thread's state is of the first
  scene.thread.leave(AL_CALL_MALLOC, block);
  Scene::check(0, 0);
  scene.thread.malloc(10, block);
  Scene::check(10, 1);
}

}  // namespace
}  // namespace asyncleak::fake
