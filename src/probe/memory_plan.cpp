#include "probe/memory_plan.h"

#include "elf/instruction.h"
#include "elf/return_points.h"

#include <fmt/format.h>
#include <algorithm>
#include <optional>
#include <utility>

namespace asyncleak::probe {

namespace {

using elf::AllocatorCall;

al_call wire_call(AllocatorCall call) {
  switch (call) {
    case AllocatorCall::malloc:
    case AllocatorCall::page_aligned:
      return AL_CALL_MALLOC;
    case AllocatorCall::calloc:
      return AL_CALL_CALLOC;
    case AllocatorCall::realloc:
      return AL_CALL_REALLOC;
    case AllocatorCall::reallocarray:
      return AL_CALL_REALLOCARRAY;
    case AllocatorCall::aligned_alloc:
      return AL_CALL_ALIGNED;
    case AllocatorCall::posix_memalign:
      return AL_CALL_POSIX_MEMALIGN;
    case AllocatorCall::free:
      break;
  }
  return AL_CALL_FREE;
}

// A register as the cookie has it.
std::uint8_t word_of(elf::Register reg) { return static_cast<std::uint8_t>(elf::pt_regs_offset(reg) / 8); }

al_memory_cookie cookie_of(al_call call, const elf::Placement& place) {
  al_memory_cookie cookie{};
  cookie.call = call;
  if (!place.arguments.empty()) cookie.first = word_of(place.arguments[0]);
  if (place.arguments.size() > 1) cookie.second = word_of(place.arguments[1]);
  if (place.arguments.size() > 2) cookie.third = word_of(place.arguments[2]);
  return cookie;
}

// A return probe takes the return address from the top of the stack, which is there until the function moves its
// stack: at a cheap place before that it is one trap with the probe that is there anyway. Nullopt: there is none.
std::optional<std::uint64_t> cheap_return_probe(const elf::Image& image, const elf::Placement& place) {
  const elf::Decoder decoder;
  for (std::uint64_t at = place.vaddr - place.distance; at < place.vaddr;) {
    const auto instruction = decoder.decode(image.bytes(at, std::min<std::uint64_t>(16, place.vaddr - at)));
    if (!instruction || (instruction->written & elf::mask_of(elf::Register::rsp)) != 0) return std::nullopt;
    at += instruction->length;
  }
  return place.file_offset;
}

std::uint64_t return_probe(const elf::Image& image, const elf::Placement& place) {
  return cheap_return_probe(image, place).value_or(place.file_offset - place.distance);
}

void add_allocating(std::vector<MemoryProbe>& probes, const elf::Image& image, al_call call,
                    const elf::Placement& place) {
  const auto cookie = cookie_of(call, place);
  probes.push_back({MemoryProgram::allocating, place.file_offset, cookie});
  probes.push_back({MemoryProgram::allocated, return_probe(image, place), cookie, true});
}

void add_freeing(std::vector<MemoryProbe>& probes, const elf::Placement& place) {
  probes.push_back({MemoryProgram::freeing, place.file_offset, cookie_of(AL_CALL_FREE, place)});
}

// Where a step leaves: the return of the call, or, where a probe on that would be single-stepped, places behind the
// step proper. Those a step that raises out of the event loop may not pass; then it ends when the next one begins.
void add_leaving(std::vector<MemoryProbe>& probes, const elf::Image& image, std::uint64_t function,
                 const elf::Placement& place, al_memory_cookie cookie) {
  const auto cheap = cheap_return_probe(image, place);
  const auto points = cheap ? fail("not needed") : elf::find_points_of_returns(image, function, elf::Register::rdi);
  if (cheap || !points || !points->unseen_returns.empty()) {
    probes.push_back({MemoryProgram::step_left, return_probe(image, place), cookie, true});
    return;
  }
  cookie.call = AL_CALL_STEP_LEFT;
  for (const auto* places : {&points->whole, &points->after}) {
    for (const auto& each : *places) probes.push_back({MemoryProgram::step_left, each.file_offset, cookie});
  }
}

void add_step(std::vector<MemoryProbe>& probes, const elf::Image& image, const elf::StepFunction& step) {
  auto cookie = cookie_of(AL_CALL_STEP, step.place);
  cookie.third = static_cast<std::uint8_t>(step.task_offset / 8);
  add_leaving(probes, image, step.vaddr, step.place, cookie);
  probes.push_back({MemoryProgram::step_entered, step.place.file_offset, cookie});
}

void add_malloc(std::vector<MemoryProbe>& probes, const elf::ReturnPoints& points) {
  const auto add = [&](al_call call, const std::vector<elf::Placement>& places) {
    for (const auto& place : places) {
      probes.push_back({MemoryProgram::passing_malloc, place.file_offset, cookie_of(call, place)});
    }
  };
  add(AL_CALL_MALLOC_RETURN, points.whole);
  add(AL_CALL_MALLOC_DONE, points.after);
  add(AL_CALL_MALLOC_NOTED, points.before);
}

}  // namespace

Result<MemoryPlan> plan_c_allocator(const elf::Image& image) {
  const auto allocator = elf::find_c_allocator(image);
  if (!allocator) return fail(allocator.error());
  std::vector<MemoryProbe> probes;
  // What frees comes first: a block whose end is missed would stand for ever.
  for (const auto& function : allocator->functions) {
    if (function.call == AllocatorCall::free) add_freeing(probes, function.entry);
  }
  for (const auto& function : allocator->functions) {
    const bool spared = function.call == AllocatorCall::malloc && allocator->malloc_returns;
    if (function.call == AllocatorCall::free || spared) continue;
    add_allocating(probes, image, wire_call(function.call), function.entry);
  }
  if (allocator->malloc_returns) add_malloc(probes, *allocator->malloc_returns);
  return MemoryPlan{std::move(probes), allocator->kind};
}

Result<MemoryPlan> plan_object_allocator(const elf::Image& core) {
  const auto allocator = elf::find_object_allocator(core);
  if (!allocator) return fail(allocator.error());
  if (allocator->inlined_copies > 0) {
    return fail(fmt::format("small blocks cannot be counted: this interpreter was built with its allocator copied into "
                            "{} callers, which no probe on its functions sees",
                            allocator->inlined_copies),
                "what tasks hold is in the column HELD of the census");
  }
  std::vector<MemoryProbe> probes;
  add_freeing(probes, allocator->free);
  add_allocating(probes, core, AL_CALL_MALLOC, allocator->malloc);
  add_allocating(probes, core, AL_CALL_CALLOC, allocator->calloc);
  add_allocating(probes, core, AL_CALL_REALLOC, allocator->realloc);
  for (auto& probe : probes) probe.cookie.object = 1;
  return MemoryPlan{std::move(probes)};
}

Result<MemoryPlan> plan_steps(const elf::Image& asyncio, const elf::Placement& task_init) {
  const auto steps = elf::find_step_functions(asyncio);
  if (!steps) return fail(steps.error());
  std::vector<MemoryProbe> probes;
  add_step(probes, asyncio, steps->step);
  add_step(probes, asyncio, steps->wakeup);
  // Modules/_asynciomodule.c, 3.12+: Task.__init__(eager_start=True) runs the first step.
  if (!asyncio.find_string("eager_start").empty()) {
    auto cookie = cookie_of(AL_CALL_EAGER, task_init);  // self, args, kwds
    cookie.second = cookie.third;
    add_leaving(probes, asyncio, task_init.vaddr - task_init.distance, task_init, cookie);
    probes.push_back({MemoryProgram::eager_step_entered, task_init.file_offset, cookie});
  }
  return MemoryPlan{std::move(probes)};
}

}  // namespace asyncleak::probe
