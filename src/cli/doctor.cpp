#include "cli/doctor.h"

#include "cli/doctor_memory.h"
#include "cli/outputs.h"
#include "cli/print_line.h"
#include "elf/task_functions.h"
#include "probe/environment.h"
#include "python/interpreter.h"

#include <fmt/format.h>
#include <algorithm>

namespace asyncleak::cli {

namespace {

void describe_place(std::FILE* out, std::string_view function, const std::string& path, const elf::Placement& place) {
  print_line(out, "  {:<13}{}+0x{:x} (entry 0x{:x}, '{}', {})", function, path, place.file_offset,
             place.file_offset - place.distance, place.instruction,
             place.emulated ? "emulated: cheap" : "single-stepped: dear, " + place.reason);
}

void describe_core(std::FILE* out, const probe::Core& core) {
  if (!core.interpreter) {
    print_line(out, "{}", core.path);
    print_line(out, "  refused      {}", core.interpreter.error().message);
    return;
  }
  const auto& interpreter = *core.interpreter;
  print_line(out, "{}", core.path);
  print_line(out, "  CPython      {}", interpreter.version.text);
  print_line(out, "  build-id     {}", core.build_id.empty() ? "none" : core.build_id);
  const bool table = interpreter.source == python::LayoutSource::table;
  print_line(out, "  layout       {}{}{}", table ? fmt::format("{}, ", python::name_of(interpreter.source)) : "",
             interpreter.row, core.checked_live ? ", checked against a living process" : "");
}

void describe_warnings(std::FILE* out, const probe::Core& core) {
  if (!core.interpreter) return;
  if (!core.warnings) {
    print_line(out, "  never awaited {}", core.warnings.error().message);
    return;
  }
  for (const auto& place : *core.warnings) {
    print_line(out, "  never awaited {}+0x{:x} ('{}')", core.path, place.file_offset, place.instruction);
  }
}

void describe_binary(std::FILE* out, const probe::Binary& binary) {
  if (!binary.plan) {
    print_line(out, "  refused      {}", binary.plan.error().message);
    return;
  }
  const auto& plan = *binary.plan;
  print_line(out, "  found by     {} ({})", elf::name_of(plan.functions.rung), plan.functions.detail);
  describe_place(out, "task init", binary.path, plan.init);
  describe_place(out, "task dealloc", binary.path, plan.dealloc);
  if (!binary.attach_error.empty()) print_line(out, "  not attached {}", binary.attach_error);
}

bool describe_process(const probe::KnownProcess& process) {
  print_line(stdout, "PID {} ({}): {}", process.info.pid, process.info.comm,
             process.binary != nullptr ? "can be observed" : "cannot be observed yet");
  for (const auto& warning : process.warnings) print_line(stdout, "  {}", warning);
  return process.binary != nullptr;
}

bool describe_machine() {
  bool able = true;
  for (const auto& check : probe::check_thoroughly()) {
    print_line(stdout, "{:<5}{:<12}{}{}", check.passed ? "ok" : "FAIL", check.subject, check.finding,
               check.passed ? "" : ": " + check.advice);
    able &= check.passed;
  }
  return able;
}

}  // namespace

void describe_interpreters(std::FILE* out, const probe::Catalog& catalog) {
  for (const auto& [core_key, core] : catalog.cores()) {
    describe_core(out, core);
    for (const auto& [binary_key, binary] : catalog.binaries()) {
      const auto& cores = binary.cores;
      if (!binary.plan || std::find(cores.begin(), cores.end(), core.index) != cores.end()) {
        describe_binary(out, binary);
      }
    }
    describe_warnings(out, core);
  }
}

int diagnose(const Options& options) {
  bool able = describe_machine();
  probe::Catalog catalog(nullptr, {options.pids, {}});
  for (const pid_t pid : options.pids) {
    if (auto considered = catalog.consider(pid); !considered && !catalog.processes().contains(pid)) {
      return report_error(considered.error());
    }
  }
  catalog.scan(true);
  catalog.check_layouts();
  fmt::print("\n");
  describe_interpreters(stdout, catalog);
  if (!catalog.processes().empty()) fmt::print("\n");
  for (const auto& [pid, process] : catalog.processes()) {
    const bool observable = describe_process(process);
    if (!options.pids.empty() && observable && process.core->interpreter) describe_memory(stdout, process);
    if (!options.pids.empty()) able &= observable;
  }
  if (catalog.processes().empty()) print_line(stdout, "no Python process is running");
  return able ? 0 : 3;
}

}  // namespace asyncleak::cli
