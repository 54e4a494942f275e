#include "probe/plan.h"

#include <array>

namespace asyncleak::probe {

using elf::Register;

// tp_init(self, args, kwds), tp_dealloc(self): System V order.
constexpr std::array init_arguments{Register::rdi, Register::rsi, Register::rdx};
constexpr std::array dealloc_arguments{Register::rdi};

Result<ProbePlan> plan_probes(const elf::Image& image, const std::string& path, const std::string& root) {
  auto functions = elf::find_task_functions(image, path, root);
  if (!functions) return fail(within(path, functions.error()));
  auto init = elf::place_probe(image, functions->task_init, init_arguments);
  if (!init) return fail(within(path + ": Task.__init__", init.error()));
  auto dealloc = elf::place_probe(image, functions->task_dealloc, dealloc_arguments);
  if (!dealloc) return fail(within(path + ": Task deallocation", dealloc.error()));
  return ProbePlan{*functions, *init, *dealloc};
}

al_binary wire_binary(const ProbePlan& plan) {
  al_binary binary{};
  binary.init.self = elf::pt_regs_offset(plan.init.arguments.at(0));
  binary.init.args = elf::pt_regs_offset(plan.init.arguments.at(1));
  binary.init.kwds = elf::pt_regs_offset(plan.init.arguments.at(2));
  binary.dealloc.self = elf::pt_regs_offset(plan.dealloc.arguments.at(0));
  binary.task_state = AL_ABSENT;
  return binary;
}

void add_task_state(al_binary& binary, const python::ObjectLayout& objects) {
  // Include/internal/pycore_gc.h: _PyGC_PREV_MASK_FINALIZED of the word before the object; _PyGC_BITS_FINALIZED.
  constexpr std::uint16_t prev_finalized = 1 << 0, bits_finalized = 1 << 1;
  const bool has_head = (objects.flags & python::obj_gc_head) != 0;
  binary.task_state = objects.future_state;
  binary.task_coro = objects.task_coro;
  binary.task_finalized =
      has_head ? -static_cast<int>(sizeof(std::uint64_t)) : static_cast<std::int16_t>(objects.gc_bits);
  binary.task_finalized_mask = has_head ? prev_finalized : bits_finalized;
}

}  // namespace asyncleak::probe
