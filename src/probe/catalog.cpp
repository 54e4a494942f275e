#include "probe/catalog.h"

#include "elf/unawaited_warnings.h"
#include "probe/clock.h"
#include "python/installation.h"
#include "python/process_names.h"

#include <fmt/format.h>
#include <fnmatch.h>
#include <algorithm>

namespace asyncleak::probe {

namespace {

// Layout checks may race with a running interpreter; so many in a row are no accident.
constexpr int refuse_after_failed_checks = 5;

// Longer than a job that comes every few minutes stays away.
constexpr std::int64_t keep_unused_ns = 600'000'000'000;

// The lowest that no image of IMAGES has as its NUMBER.
template <class Images, class Image>
std::uint32_t free_number(const Images& images, std::uint32_t Image::*number) {
  std::uint32_t lowest = 0;
  const auto is_taken = [&](const auto& entry) { return entry.second.*number == lowest; };
  while (std::any_of(images.begin(), images.end(), is_taken)) ++lowest;
  return lowest;
}

}  // namespace

std::optional<std::int64_t> Attachments::since_ns(pid_t pid) const {
  if (everywhere) return everywhere->since_ns;
  const auto found = per_process.find(pid);
  return found != per_process.end() ? std::optional(found->second.since_ns) : std::nullopt;
}

Catalog::Catalog(Session* session, Scope scope) : session_(session), scope_(std::move(scope)) {}

Catalog::~Catalog() {
  std::vector<Attachment> probes;
  const auto take = [&](Attachments& attachments) {
    for (auto& [pid, attached] : attachments.per_process) probes.push_back(std::move(attached.probes));
  };
  for (auto& [key, binary] : binaries_) take(binary.probes);
  for (auto& [key, core] : cores_) take(core.warning_probes);
  Attachment::detach(std::move(probes));
}

bool Catalog::in_scope(const python::ProcessInfo& info) const {
  if (!scope_.pids.empty() && std::find(scope_.pids.begin(), scope_.pids.end(), info.pid) == scope_.pids.end()) {
    return false;
  }
  return scope_.comm_glob.empty() || fnmatch(scope_.comm_glob.c_str(), info.comm.c_str(), 0) == 0;
}

const Core* Catalog::core(std::uint32_t index) const {
  for (const auto& [key, core] : cores_) {
    if (core.index == index) return &core;
  }
  return nullptr;
}

Result<Core*> Catalog::register_core(const python::MappedFile& file) {
  auto opened = open_image(file);
  if (!opened) return fail(opened.error());
  if (const auto known = cores_.find(opened->key); known != cores_.end()) {
    known->second.used_ns = monotonic_ns();
    return &known->second;
  }
  if (cores_.size() >= AL_MAX_CORES) return fail("more than 256 different interpreters on this machine");
  const auto image = read_image(*opened, file);
  if (!image) return fail(image.error());
  const auto segments = image->segments();
  Core core{free_number(cores_, &Core::index),
            monotonic_ns(),
            file.path,
            image->build_id(),
            elf::has_task_type(*image),
            {segments.begin(), segments.end()},
            python::identify(*image, file.path)};
  if (core.interpreter) {
    core.warnings = elf::find_unawaited_warnings(*image, core.interpreter->layout.str_ascii_data);
  }
  if (core.interpreter && session_ != nullptr) {
    if (auto stored = session_->set_core(core.index, core.interpreter->layout); !stored) return fail(stored.error());
  }
  return &cores_.emplace(opened->key, std::move(core)).first->second;
}

Result<void> Catalog::attach(Attachments& to, const std::string& path, const std::vector<Wanted>& wanted,
                             std::uint32_t cookie, pid_t pid) {
  if (session_ == nullptr) return {};
  const bool one_process = !scope_.pids.empty() || !scope_.comm_glob.empty();
  if (one_process ? to.per_process.contains(pid) || pid == 0 : to.everywhere.has_value()) return {};
  // The very bytes of the very inode, now: a probe inside an instruction would corrupt the process.
  auto image = elf::Image::open(path);
  if (!image) return fail(image.error());
  std::vector<ProbePoint> points;
  for (const auto& each : wanted) {
    if (auto same = elf::verify_placement(*image, each.place); !same) return same;
    points.push_back({each.program, each.place.file_offset});
  }
  auto attachment = session_->attach(path, points, cookie, one_process ? pid : -1);
  if (!attachment) return fail(attachment.error());
  Attached attached{std::move(*attachment), monotonic_ns()};
  if (one_process) {
    to.per_process.emplace(pid, std::move(attached));
  } else {
    to.everywhere = std::move(attached);
  }
  return {};
}

void Catalog::detach(pid_t pid) {
  for (auto& [key, binary] : binaries_) binary.probes.per_process.erase(pid);
  for (auto& [key, core] : cores_) core.warning_probes.per_process.erase(pid);
}

// Best effort: tasks are counted without.
void Catalog::attach_warnings(Core& core, const python::MappedFile& file, pid_t pid) {
  if (!core.warnings) return;
  auto opened = open_image(file);
  if (!opened) return;
  std::vector<Wanted> wanted;
  for (const auto& place : *core.warnings) wanted.push_back({Program::unawaited_warning, place});
  const auto attached = attach(core.warning_probes, opened->path(), wanted, core.index, pid);
  if (!attached) core.warnings = fail(attached.error());
}

// Where a task of BINARY has its fields, whichever of its interpreters made it; nullopt: not known, or not the same.
std::optional<python::ObjectLayout> Catalog::task_objects(const Binary& binary) const {
  std::optional<python::ObjectLayout> common;
  for (const auto index : binary.cores) {
    const Core* each = core(index);
    if (each == nullptr || !each->interpreter || !each->interpreter->objects) return std::nullopt;
    const auto objects = python::fit_task_fields(*each->interpreter->objects, binary.task_fields);
    if (!objects || (common && common->future_state != objects->future_state)) return std::nullopt;
    common = *objects;
  }
  return common;
}

Result<Binary*> Catalog::register_binary(const python::MappedFile& file, const Core& core, const std::string& root) {
  auto opened = open_image(file);
  if (!opened) return fail(opened.error());
  auto known = binaries_.find(opened->key);
  if (known == binaries_.end()) {
    if (binaries_.size() >= AL_MAX_BINARIES) return fail("more than 256 different asyncio modules on this machine");
    const auto image = read_image(*opened, file);
    if (!image) return fail(image.error());
    Binary binary{free_number(binaries_, &Binary::cookie), file.path, image->build_id(),
                  plan_probes(*image, file.path, root), elf::find_task_fields(*image)};
    known = binaries_.emplace(opened->key, std::move(binary)).first;
  }
  Binary& binary = known->second;
  if (!binary.plan) return fail(binary.plan.error());
  if (std::find(binary.cores.begin(), binary.cores.end(), core.index) == binary.cores.end()) {
    if (binary.cores.size() == AL_CORES_PER_BINARY) {
      return fail(fmt::format("{} is loaded by more than {} different interpreters", file.path, AL_CORES_PER_BINARY));
    }
    binary.cores.push_back(core.index);
    al_binary wire = wire_binary(*binary.plan);
    wire.core_count = static_cast<std::uint32_t>(binary.cores.size());
    std::copy(binary.cores.begin(), binary.cores.end(), std::begin(wire.cores));
    const auto objects = task_objects(binary);
    binary.tells_pending = objects.has_value();
    if (objects) add_task_state(wire, *objects);
    if (session_ != nullptr) {
      if (auto stored = session_->set_binary(binary.cookie, wire); !stored) return fail(stored.error());
    }
  }
  return &binary;
}

Result<void> Catalog::look(pid_t pid, KnownProcess& process) {
  auto images = python::find_images(pid);
  if (!images) {
    process.out_of_reach = python::maps_an_interpreter(pid);
    return fail(images.error());
  }
  if (!images->core) {
    return fail(fmt::format("PID {} ({}) is not a CPython process", pid, process.info.comm),
                "name the Python process itself, not a wrapper or shell", ErrorKind::unobservable);
  }
  auto core = register_core(*images->core);
  process.out_of_reach = !core;
  if (!core) return fail(core.error());
  process.core = *core;
  process.bias = python::load_bias((*core)->segments, *images->core);
  if (images->core->deleted) {
    process.warnings.push_back(images->core->path + " was deleted or upgraded; watching the copy the process runs");
  }
  if (!(*core)->interpreter) return fail((*core)->interpreter.error());
  const auto file = images->asyncio ? images->asyncio : (*core)->has_task_type ? images->core : std::nullopt;
  if (!file) {
    process.warnings.emplace_back("asyncio is not imported yet");
    auto ahead = look_ahead(*images->core, process);
    attach_warnings(**core, *images->core, pid);
    return ahead;
  }
  if (file->deleted && !images->core->deleted) {
    process.warnings.push_back(file->path + " was deleted or upgraded; watching the copy the process runs");
  }
  auto binary = register_and_attach(*file, **core, pid);
  if (!binary) return fail(binary.error());
  attach_warnings(**core, *images->core, pid);
  process.binary = *binary;
  const auto& objects = (*core)->interpreter->objects;
  process.objects = objects ? python::fit_task_fields(*objects, (*binary)->task_fields) : objects;
  return {};
}

Result<Binary*> Catalog::register_and_attach(const python::MappedFile& file, const Core& core, pid_t pid) {
  auto binary = register_binary(file, core, pid != 0 ? fmt::format("/proc/{}/root", pid) : std::string());
  if (!binary) return binary;
  auto opened = open_image(file);
  if (!opened) return fail(opened.error());
  const auto& plan = *(*binary)->plan;
  auto attached =
      attach((*binary)->probes, opened->path(),
             {{Program::task_dealloc, plan.dealloc}, {Program::task_init, plan.init}}, (*binary)->cookie, pid);
  (*binary)->attach_error = attached ? std::string() : attached.error().message;
  if (!attached) return fail(attached.error());
  return binary;
}

// A process that will import asyncio in a moment: with the probes there first, nothing is missed.
Result<void> Catalog::look_ahead(const python::MappedFile& core_file, KnownProcess& process) {
  const pid_t pid = process.info.pid;
  const auto root = fmt::format("/proc/{}/root", pid);
  const auto path = python::find_asyncio_module(core_file.path, process.core->interpreter->version.minor, root);
  if (!path) return {};
  auto binary = register_and_attach({{}, *path, root + *path, 0, 0, false}, *process.core, pid);
  if (!binary) return fail(binary.error());
  const auto images = python::find_images(pid);
  process.from_first_task = images && !images->asyncio;
  return {};
}

Result<void> Catalog::consider(pid_t pid) {
  const auto looked_ns = monotonic_ns();
  auto info = python::read_process(pid);
  if (!info) return fail(info.error());
  if (!in_scope(*info)) return fail(fmt::format("PID {} is not among those to watch", pid));
  KnownProcess process{std::move(*info)};
  process.looked_ns = looked_ns;
  const auto earlier = processes_.find(pid);
  // Probes of one process end with it; who got its number since has none yet.
  if (earlier != processes_.end() && earlier->second.info.start_ticks != process.info.start_ticks) detach(pid);
  auto looked = look(pid, process);
  if (!looked) {
    if (process.core == nullptr && !process.out_of_reach) {  // nor is it any more what it was before an exec
      processes_.erase(pid);
      return looked;
    }
    const auto& why = looked.error();  // Python, but not to be observed
    process.warnings.push_back(process.out_of_reach && !why.advice.empty() ? why.message + ": " + why.advice
                                                                           : why.message);
  }
  python::add_names(process.info);
  if (earlier != processes_.end()) {
    const auto& before = earlier->second;
    const bool same = before.info.start_ticks == process.info.start_ticks && before.core == process.core;
    process.from_first_task |= same && before.from_first_task;
  }
  processes_.insert_or_assign(pid, std::move(process));
  return looked;
}

Result<void> Catalog::require(pid_t pid) {
  auto considered = consider(pid);
  if (considered && processes_.at(pid).binary == nullptr) {
    considered = fail(fmt::format("PID {} ({}) has not imported asyncio", pid, processes_.at(pid).info.comm),
                      "start it with 'asyncleak-top run', or watch the whole machine");
  }
  if (considered) return {};
  auto error = considered.error();
  error.kind = ErrorKind::unobservable;
  return fail(std::move(error));
}

// Into something that is not Python, which maps nothing we are told of.
bool Catalog::replaced_itself(pid_t pid) const {
  const auto known = processes_.find(pid);
  return session_ != nullptr && known != processes_.end() &&
         session_->last_exec_ns(pid).value_or(0) > known->second.looked_ns;
}

void Catalog::scan(bool again) {
  auto living = python::list_processes();
  std::sort(living.begin(), living.end());
  const auto gone = [&](pid_t pid) { return !std::binary_search(living.begin(), living.end(), pid); };
  std::erase_if(others_, gone);
  std::erase_if(processes_, [&](const auto& entry) { return gone(entry.first); });
  for (auto& [key, binary] : binaries_) {
    std::erase_if(binary.probes.per_process, [&](const auto& entry) { return gone(entry.first); });
  }
  for (auto& [key, core] : cores_) {
    std::erase_if(core.warning_probes.per_process, [&](const auto& entry) { return gone(entry.first); });
  }
  if (again) others_.clear();
  for (const pid_t pid : scope_.pids.empty() ? living : scope_.pids) {
    if (gone(pid)) continue;
    const bool seen = processes_.contains(pid) || others_.contains(pid);
    if (seen && !again && !replaced_itself(pid)) continue;
    // A failure is kept as the process's warning, or means: nothing of ours.
    const auto considered = consider(pid);
    if (!considered && !processes_.contains(pid)) others_.insert(pid);
  }
  if (again) release_unused(monotonic_ns() - keep_unused_ns);
}

void Catalog::release_unused(std::int64_t oldest_ns) {
  const auto now_ns = monotonic_ns();
  std::set<const Core*> running;
  for (const auto& [pid, process] : processes_) running.insert(process.core);
  std::set<std::uint32_t> needed;  // numbers of cores
  for (auto& [key, core] : cores_) {
    const bool runs = running.contains(&core);
    if (runs) core.used_ns = now_ns;
    if (runs || core.used_ns >= oldest_ns) needed.insert(core.index);
  }
  // The asyncio of an interpreter that runs has its probes though nobody may have imported it yet.
  std::erase_if(binaries_, [&](const auto& entry) {
    const auto& cores = entry.second.cores;
    const bool kept = std::any_of(cores.begin(), cores.end(), [&](auto index) { return needed.contains(index); });
    // What is kept names its interpreters in the kernel.
    if (kept) needed.insert(cores.begin(), cores.end());
    return !kept;
  });
  std::erase_if(cores_, [&](const auto& entry) { return !needed.contains(entry.second.index); });
}

Result<void> Catalog::prepare(const std::string& executable) {
  const auto on_disk = [](const std::string& path) { return python::MappedFile{{}, path, path, 0, 0, false}; };
  auto core_path = executable;
  auto core = register_core(on_disk(core_path));
  if (!core || !(*core)->interpreter) {
    core_path = python::find_shared_library(executable).value_or(executable);
    core = register_core(on_disk(core_path));
  }
  if (!core) return fail(core.error());
  if (!(*core)->interpreter) return fail((*core)->interpreter.error());
  const auto module = python::find_asyncio_module(core_path, (*core)->interpreter->version.minor);
  if (!module && !(*core)->has_task_type) return fail(core_path + ": no asyncio module beside it");
  auto binary = register_and_attach(on_disk(module ? *module : core_path), **core, 0);
  if (!binary) return fail(binary.error());
  attach_warnings(**core, on_disk(core_path), 0);
  return {};
}

void Catalog::check_layouts() {
  for (auto& entry : processes_) {
    auto& process = entry.second;
    if (process.core == nullptr || process.binary == nullptr || process.core->checked_live) continue;
    const auto known = std::find_if(cores_.begin(), cores_.end(),
                                    [&](const auto& candidate) { return &candidate.second == process.core; });
    Core& core = known->second;
    if (!core.interpreter) continue;
    const auto fit = python::check_live(*core.interpreter, python::ProcessMemory(entry.first), process.bias);
    if (fit) {
      core.checked_live = *fit == python::Fit::checked;
    } else if (python::read_process(entry.first) && ++core.failed_checks >= refuse_after_failed_checks) {
      refuse(core, fit.error());
      process.warnings.push_back(core.interpreter.error().message);
    }
  }
}

void Catalog::refuse(Core& core, const Error& contradiction) {
  core.interpreter = fail(within(core.path + ": its fields are not where they should be", contradiction));
  core.warning_probes = {};
  for (auto& [key, binary] : binaries_) {
    if (binary.cores != std::vector{core.index}) continue;
    binary.probes = {};
  }
}

}  // namespace asyncleak::probe
