#include "cli/doctor_memory.h"

#include "cli/print_line.h"
#include "elf/c_allocator.h"
#include "elf/object_allocator.h"
#include "probe/memory_plan.h"
#include "probe/open_image.h"
#include "python/malloc_provider.h"

#include <fmt/format.h>
#include <string_view>
#include <vector>

namespace asyncleak::cli {

namespace {

void describe_place(std::FILE* out, std::string_view function, const elf::Placement& place) {
  print_line(out, "    {:<15}+0x{:x} ('{}', {})", function, place.distance, place.instruction,
             place.emulated ? "emulated: cheap" : "single-stepped: dear, " + place.reason);
}

void describe_returns(std::FILE* out, const elf::CAllocator& allocator) {
  if (!allocator.malloc_returns) {
    print_line(out, "    malloc is probed at its return, too: {}", allocator.no_returns_because);
    return;
  }
  const auto& points = *allocator.malloc_returns;
  const auto print = [&](std::string_view what, const std::vector<elf::Placement>& places) {
    for (const auto& place : places) print_line(out, "    {:<15}0x{:x} ('{}')", what, place.vaddr, place.instruction);
  };
  print("malloc, done", points.whole);
  print("malloc, size", points.before);
  print("malloc, block", points.after);
}

void describe_c_allocator(std::FILE* out, pid_t pid, const elf::Image& core, std::uint64_t bias) {
  const auto refuse = [&](const Error& error) {
    print_line(out, "  malloc       cannot be counted: {}", error.message);
  };
  const auto provider = python::find_malloc_provider(pid, core, bias);
  if (!provider) return refuse(provider.error());
  const auto image = probe::read_image(*provider);
  if (!image) return refuse(image.error());
  const auto allocator = elf::find_c_allocator(*image);
  if (!allocator) return refuse(allocator.error());
  print_line(out, "  malloc       {} ({})", allocator->kind, provider->path);
  for (const auto& function : allocator->functions) {
    const bool by_returns = function.call == elf::AllocatorCall::malloc && allocator->malloc_returns;
    if (!by_returns) describe_place(out, function.name, function.entry);
  }
  describe_returns(out, *allocator);
}

}  // namespace

void describe_memory(std::FILE* out, const probe::KnownProcess& process) {
  const pid_t pid = process.info.pid;
  const auto images = python::find_images(pid);
  if (!images || !images->core) return;  // gone: said elsewhere
  const auto core = probe::read_image(*images->core);
  if (!core) return;
  describe_c_allocator(out, pid, *core, process.bias);
  const auto small = probe::plan_object_allocator(*core);
  print_line(out, "  pymalloc     {}", small ? "can be counted (--memory all)" : small.error().message);
}

}  // namespace asyncleak::cli
