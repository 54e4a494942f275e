// Everything the census does with the objects of a stranger's heap, which libFuzzer damages: the first byte chooses the
// line of CPython, the rest are patches of a heap that was whole (fake_heap.h).
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <span>

#include "census/awaits.h"
#include "census/cached_memory.h"
#include "census/callables.h"
#include "census/deep_size.h"
#include "census/show_value.h"
#include "fake_heap.h"
#include "python/table.h"

using namespace asyncleak;

namespace {

constexpr std::uint64_t most_objects = 500;

void read_values(const census::Objects& objects, std::uint64_t object) {
  (void)objects.text(object);
  (void)objects.integer(object);
  (void)objects.floating(object);
  (void)objects.length(object);
  objects.each_item(object, [](std::uint64_t) { return true; });
  objects.each_entry(object, [](std::uint64_t, std::uint64_t) { return true; });
  objects.each_attribute(object, [](const std::string&, std::uint64_t) { return true; });
  (void)objects.attribute(object, "attribute");
  const census::ShowOptions options;
  // A line is a line, whatever the object says of its own length.
  constexpr std::size_t longest = 20'000;
  if (show_value(objects, object, options).size() > longest) std::abort();
  census::DeepSizer sizer(&objects, most_objects);
  // Each object looked at may bring a __dict__.
  if (sizer.of(object).objects > 2 * most_objects) std::abort();
}

void read_coroutine(const census::Coroutines& coroutines, const census::Awaits& awaits, std::uint64_t object) {
  (void)coroutines.state(object);
  (void)coroutines.code(object);
  (void)coroutines.qualname(object);
  (void)coroutines.where(object);
  (void)coroutines.awaited(object);
  (void)coroutines.locals(object);
  (void)awaits.chain(object);
  (void)awaits.waiters(object);
  if (const auto task = awaits.task(object)) (void)awaits.task_name(*task);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto rows = python::object_layout_rows();
  const auto& row = rows[data[0] % rows.size()];
  const auto* fields = python::find_row(row.minor, row.free_threaded);
  if (fields == nullptr) std::abort();
  fuzz::FakeHeap memory(fields->layout, row.layout);
  const auto made = memory.objects();
  memory.patch({data + 1, size - 1});
  census::Heap heap;
  heap.memory = &memory;
  heap.layout = fields->layout;
  heap.objects = row.layout;
  census::TypeTable types(&heap);
  const census::Objects objects(&heap, &types);
  const census::Coroutines coroutines(&objects);
  const census::Awaits awaits(&objects, &coroutines);
  const census::Callables callables(&objects, &coroutines);
  for (const auto object : made) {
    read_values(objects, object);
    read_coroutine(coroutines, awaits, object);
    (void)callables.describe(object);
  }
  return 0;
}
