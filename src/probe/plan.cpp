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
  return binary;
}

}  // namespace asyncleak::probe
