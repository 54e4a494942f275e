// Everything the tool does with a stranger's ELF file, on whatever bytes libFuzzer finds.
#include "elf/c_allocator.h"
#include "elf/object_allocator.h"
#include "elf/placement.h"
#include "elf/step_functions.h"
#include "elf/task_functions.h"
#include "elf/unawaited_warnings.h"

#include <array>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

using namespace asyncleak::elf;

namespace {

void place(const Image& image, std::uint64_t entry) {
  constexpr std::array wanted = {Register::rdi, Register::rsi, Register::rdx};
  const auto placement = place_probe(image, entry, wanted);
  // A placement that its own image does not confirm would be attached nowhere: a bug.
  if (placement && !verify_placement(image, *placement)) std::abort();
}

void confirm(const Image& image, const std::vector<Placement>& places) {
  for (const Placement& place : places) {
    if (!verify_placement(image, place)) std::abort();
  }
}

// What --memory asks of a file.
void find_allocators(const Image& image) {
  if (const auto allocator = find_c_allocator(image)) {
    for (const auto& function : allocator->functions) confirm(image, {function.entry});
    if (allocator->malloc_returns) {
      confirm(image, allocator->malloc_returns->whole);
      confirm(image, allocator->malloc_returns->before);
      confirm(image, allocator->malloc_returns->after);
    }
  }
  if (const auto objects = find_object_allocator(image)) {
    confirm(image, {objects->malloc, objects->calloc, objects->realloc, objects->free});
  }
  if (const auto steps = find_step_functions(image)) confirm(image, {steps->step.place, steps->wakeup.place});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto image = Image::from_bytes(std::as_bytes(std::span(data, size)));
  if (!image) return 0;
  (void)image->build_id();
  (void)image->dynamic_symbol("_PyRuntime");
  // Asked even without the type: the symbol tables are read on the way.
  const auto found = find_task_functions(*image, "");
  if (has_task_type(*image)) (void)resolve_type_slots(*image);
  if (found) {
    place(*image, found->task_init);
    place(*image, found->task_dealloc);
  }
  if (const auto warnings = find_unawaited_warnings(*image, 40)) confirm(*image, *warnings);
  find_allocators(*image);
  for (const Segment& segment : image->segments()) {
    if (const auto function = image->function_at(segment.vaddr)) place(*image, function->begin);
  }
  return 0;
}
