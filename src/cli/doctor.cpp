#include "cli/doctor.h"

#include "cli/doctor_memory.h"
#include "cli/outputs.h"
#include "elf/task_functions.h"
#include "probe/environment.h"
#include "python/interpreter.h"

#include <fmt/format.h>
#include <algorithm>

namespace asyncleak::cli {

namespace {

void describe_place(std::FILE* out, std::string_view function, const std::string& path, const elf::Placement& place) {
  fmt::print(out, "  {:<13}{}+0x{:x} (entry 0x{:x}, '{}', {})\n", function, path, place.file_offset,
             place.file_offset - place.distance, place.instruction,
             place.emulated ? "emulated: cheap" : "single-stepped: dear, " + place.reason);
}

void describe_core(std::FILE* out, const probe::Core& core) {
  if (!core.interpreter) {
    fmt::print(out, "{}\n  refused      {}\n", core.path, core.interpreter.error().message);
    return;
  }
  const auto& interpreter = *core.interpreter;
  fmt::print(out, "{}\n", core.path);
  fmt::print(out, "  CPython      {}\n", interpreter.version.text);
  fmt::print(out, "  build-id     {}\n", core.build_id.empty() ? "none" : core.build_id);
  const bool table = interpreter.source == python::LayoutSource::table;
  fmt::print(out, "  layout       {}{}{}\n", table ? fmt::format("{}, ", python::name_of(interpreter.source)) : "",
             interpreter.row, core.checked_live ? ", checked against a living process" : "");
}

void describe_warnings(std::FILE* out, const probe::Core& core) {
  if (!core.interpreter) return;
  if (!core.warnings) {
    fmt::print(out, "  never awaited {}\n", core.warnings.error().message);
    return;
  }
  for (const auto& place : *core.warnings) {
    fmt::print(out, "  never awaited {}+0x{:x} ('{}')\n", core.path, place.file_offset, place.instruction);
  }
}

void describe_binary(std::FILE* out, const probe::Binary& binary) {
  if (!binary.plan) {
    fmt::print(out, "  refused      {}\n", binary.plan.error().message);
    return;
  }
  const auto& plan = *binary.plan;
  fmt::print(out, "  found by     {} ({})\n", elf::name_of(plan.functions.rung), plan.functions.detail);
  describe_place(out, "task init", binary.path, plan.init);
  describe_place(out, "task dealloc", binary.path, plan.dealloc);
  if (!binary.attach_error.empty()) fmt::print(out, "  not attached {}\n", binary.attach_error);
}

bool describe_process(const probe::KnownProcess& process) {
  fmt::print("PID {} ({}): {}\n", process.info.pid, process.info.comm,
             process.binary != nullptr ? "can be observed" : "cannot be observed yet");
  for (const auto& warning : process.warnings) fmt::print("  {}\n", warning);
  return process.binary != nullptr;
}

bool describe_machine() {
  bool able = true;
  for (const auto& check : probe::check_thoroughly()) {
    fmt::print("{:<5}{:<12}{}{}\n", check.passed ? "ok" : "FAIL", check.subject, check.finding,
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
  if (catalog.processes().empty()) fmt::print("no Python process is running\n");
  return able ? 0 : 3;
}

}  // namespace asyncleak::cli
