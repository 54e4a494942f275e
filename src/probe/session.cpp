#include "probe/session.h"

#include "asyncleak.skel.h"
#include "probe/kernel_maps.h"
#include "probe/memory_session.h"
#include "probe/privileges.h"
#include "util/handle.h"

#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <algorithm>
#include <cerrno>
#include <cstring>

namespace asyncleak::probe {

namespace {

// libbpf explains a refused program on its log; kept quiet, the error below says what to do.
int discard_log(libbpf_print_level /*level*/, const char* /*format*/, va_list /*arguments*/) { return 0; }

bpf_program* program_of(const asyncleak_bpf& skeleton, Program program) {
  switch (program) {
    case Program::task_init:
      return skeleton.progs.task_init;
    case Program::task_dealloc:
      return skeleton.progs.task_dealloc;
    case Program::unawaited_warning:
      return skeleton.progs.unawaited_warning;
    case Program::calibrate:
      break;
  }
  return skeleton.progs.calibrate;
}

}  // namespace

Result<asyncleak_bpf*> open_programs(const SessionOptions& options) {
  asyncleak_bpf* skeleton = asyncleak_bpf::open();
  if (skeleton == nullptr) return fail(load_error(errno));
  skeleton->rodata->al_stack_depth = options.stack_depth;
  skeleton->rodata->al_max_sites = options.max_sites;
  skeleton->rodata->al_only_watched = options.only_watched;
  return skeleton;
}

struct Session::State {
  SessionOptions options;
  Handle<asyncleak_bpf, asyncleak_bpf::destroy> skeleton;
  SharedArray<al_site> sites;
  SharedArray<al_batch> batch;
  std::unique_ptr<MemorySession> memory, steps;

  [[nodiscard]] int fd(const bpf_map* map) const { return bpf_map__fd(map); }
  [[nodiscard]] Result<void> update(const bpf_map* map, const void* key, const void* value, std::string_view what) {
    if (bpf_map_update_elem(fd(map), key, value, BPF_ANY) != 0) return fail(system_error(what, errno));
    return {};
  }
  // As take_site_id() of bpf/site.bpf.h does it; 0: no room.
  [[nodiscard]] std::uint32_t take_site_id() {
    std::uint32_t id = 0;
    if (bpf_map_lookup_and_delete_elem(fd(skeleton->maps.free_sites), nullptr, &id) == 0) return id;
    auto& used = skeleton->bss->al_site_ids_used;
    if (__atomic_load_n(&used, __ATOMIC_ACQUIRE) + 1 >= options.max_sites) return 0;
    id = __atomic_add_fetch(&used, 1, __ATOMIC_ACQ_REL);
    return id < options.max_sites ? id : 0;
  }
  [[nodiscard]] Result<MemorySession*> open(std::unique_ptr<MemorySession>& session, MemorySession::Use use) const {
    if (!session) {
      auto opened = MemorySession::make(options, use, *skeleton);
      if (!opened) return fail(opened.error());
      session = std::move(*opened);
    }
    return session.get();
  }
  void give_back_site(std::uint32_t id) {
    bpf_map_delete_elem(fd(skeleton->maps.origins), &id);
    sites[id] = al_site{};
    bpf_map_update_elem(fd(skeleton->maps.free_sites), nullptr, &id, BPF_ANY);
  }
};

Session::Session(std::unique_ptr<State> state) : state_(std::move(state)) {}
Session::Session(Session&&) noexcept = default;
Session::~Session() = default;

Result<Session> Session::make(const SessionOptions& options) {
  libbpf_set_print(discard_log);
  const RaisedPrivileges raised;
  auto state = std::make_unique<State>();
  state->options = options;
  const auto opened = open_programs(options);
  if (!opened) return fail(opened.error());
  state->skeleton.reset(*opened);
  auto& skeleton = *state->skeleton;
  // Both tiers together hold max_tasks.
  const std::uint32_t recent = std::min(bpf_map__max_entries(skeleton.maps.recent_tasks), options.max_tasks / 2);
  bpf_map__set_max_entries(skeleton.maps.recent_tasks, recent);
  bpf_map__set_max_entries(skeleton.maps.tasks, options.max_tasks - recent);
  for (bpf_map* map : {skeleton.maps.site_ids, skeleton.maps.sites, skeleton.maps.origins, skeleton.maps.free_sites}) {
    bpf_map__set_max_entries(map, options.max_sites);
  }
  leave_out_memory(skeleton);
  for (bpf_program* program : {skeleton.progs.task_init, skeleton.progs.task_dealloc, skeleton.progs.unawaited_warning,
                               skeleton.progs.calibrate}) {
    prepare_for_uprobes(program);
  }
  if (const int error = asyncleak_bpf::load(&skeleton); error != 0) return fail(load_error(-error));
  for (bpf_program* program : {skeleton.progs.process_fork, skeleton.progs.process_exec, skeleton.progs.process_exit}) {
    bpf_link* link = bpf_program__attach(program);
    if (link == nullptr) {
      return fail(within(fmt::format("attaching {}", bpf_program__name(program)), load_error(errno)));
    }
    if (program == skeleton.progs.process_fork) skeleton.links.process_fork = link;
    if (program == skeleton.progs.process_exec) skeleton.links.process_exec = link;
    if (program == skeleton.progs.process_exit) skeleton.links.process_exit = link;
  }
  // Writable: purge() clears the sites of a process that ended, add_site() makes some.
  auto sites =
      SharedArray<al_site>::make(bpf_map__fd(skeleton.maps.sites), options.max_sites, "mapping the site counters");
  if (!sites) return fail(sites.error());
  state->sites = std::move(*sites);
  auto batch = SharedArray<al_batch>::make(bpf_map__fd(skeleton.maps.batch), 1, "mapping the task batch");
  if (!batch) return fail(batch.error());
  state->batch = std::move(*batch);
  return Session(std::move(state));
}

Result<void> Session::set_core(std::uint32_t core, const al_layout& layout) {
  return state_->update(state_->skeleton->maps.layouts, &core, &layout, "storing an interpreter's layout");
}

Result<void> Session::set_binary(std::uint32_t cookie, const al_binary& binary) {
  return state_->update(state_->skeleton->maps.binaries, &cookie, &binary, "storing an image's registers");
}

Result<void> Session::watch(pid_t pid) {
  const auto tgid = static_cast<std::uint32_t>(pid);
  const std::uint8_t yes = 1;
  return state_->update(state_->skeleton->maps.watched, &tgid, &yes, fmt::format("watching PID {}", pid));
}

bool Session::watches(pid_t pid) const {
  if (!state_->options.only_watched) return true;
  const auto tgid = static_cast<std::uint32_t>(pid);
  std::uint8_t yes = 0;
  return bpf_map_lookup_elem(state_->fd(state_->skeleton->maps.watched), &tgid, &yes) == 0;
}

Result<Attachment> Session::attach(const std::string& path, const std::vector<ProbePoint>& points, std::uint32_t cookie,
                                   pid_t pid) {
  std::vector<Uprobe> probes;
  probes.reserve(points.size());
  for (const auto& point : points) {
    probes.push_back({program_of(*state_->skeleton, point.program), point.file_offset, cookie, point.at_return});
  }
  return Attachment::make(path, probes, pid);
}

Result<MemorySession*> Session::open_memory() { return state_->open(state_->memory, MemorySession::Use::allocations); }

Result<MemorySession*> Session::open_steps() { return state_->open(state_->steps, MemorySession::Use::steps); }

std::vector<const MemorySession*> Session::step_sessions() const {
  std::vector<const MemorySession*> open;
  for (const auto* each : {&state_->memory, &state_->steps}) {
    if (*each) open.push_back(each->get());
  }
  return open;
}

MemorySession* Session::memory() const { return state_->memory.get(); }

void Session::forget_allocations(std::uint32_t process) {
  if (state_->steps) state_->steps->forget(process);
  if (!state_->memory) return;
  state_->memory->forget(process);
  for (std::uint32_t id = 1; id <= sites_used(); id++) {
    if (state_->sites[id].key.process == process) state_->memory->clear_site(id);
  }
}

const SessionOptions& Session::options() const { return state_->options; }

std::uint32_t Session::sites_used() const {
  const std::uint32_t handed_out = state_->skeleton->bss->al_site_ids_used;
  return std::min(handed_out, state_->options.max_sites - 1);
}

bool Session::site_ready(std::uint32_t id) const {
  return __atomic_load_n(&state_->sites[id].state, __ATOMIC_ACQUIRE) == AL_SITE_READY;
}

al_site Session::site(std::uint32_t id) const {
  const auto& shared = state_->sites[id];
  al_site copy = shared;
  // What ended first: also as it comes, the difference is never below zero.
  read_at_once(shared.destroyed, [&] {
    copy.destroyed_pending = load(shared.destroyed_pending);
    copy.destroyed = load(shared.destroyed);
    copy.untracked = load(shared.untracked);
    copy.inherited = load(shared.inherited);
    copy.created = load(shared.created);
  });
  return copy;
}

std::optional<al_origin> Session::origin(std::uint32_t site) const {
  al_origin origin{};
  if (bpf_map_lookup_elem(state_->fd(state_->skeleton->maps.origins), &site, &origin) != 0) return std::nullopt;
  return origin;
}

std::optional<al_code> Session::code(const al_code_key& key) const {
  al_code code{};
  if (bpf_map_lookup_elem(state_->fd(state_->skeleton->maps.codes), &key, &code) != 0 || code.ready == 0) {
    return std::nullopt;
  }
  return code;
}

std::vector<std::pair<pid_t, al_process>> Session::processes() const {
  std::vector<std::pair<pid_t, al_process>> result;
  const int map = state_->fd(state_->skeleton->maps.processes);
  for_each_key<std::uint32_t>(map, [&](std::uint32_t tgid) {
    al_process process{};
    if (bpf_map_lookup_elem(map, &tgid, &process) == 0) result.emplace_back(static_cast<pid_t>(tgid), process);
  });
  return result;
}

std::optional<std::int64_t> Session::last_exec_ns(pid_t pid) const {
  const auto tgid = static_cast<std::uint32_t>(pid);
  std::uint64_t at = 0;
  if (bpf_map_lookup_elem(state_->fd(state_->skeleton->maps.execs), &tgid, &at) != 0) return std::nullopt;
  return static_cast<std::int64_t>(at);
}

std::array<std::uint64_t, AL_COUNTERS> Session::counters() const {
  std::array<std::uint64_t, AL_COUNTERS> totals{};
  std::vector<std::uint64_t> per_cpu(static_cast<std::size_t>(libbpf_num_possible_cpus()));
  const int map = state_->fd(state_->skeleton->maps.counters);
  for (std::uint32_t index = 0; index < AL_COUNTERS; index++) {
    if (bpf_map_lookup_elem(map, &index, per_cpu.data()) != 0) continue;
    for (const auto value : per_cpu) totals.at(index) += value;
  }
  return totals;
}

RecordPrograms Session::record_programs() const {
  const auto& programs = state_->skeleton->progs;
  return {bpf_program__fd(programs.open_process), bpf_program__fd(programs.set_seeding),
          bpf_program__fd(programs.seed_tasks), bpf_program__fd(programs.sites_of_tasks), state_->batch.data()};
}

// In user space, as programs that it runs cannot use a stack map (free_sites) everywhere: not on Linux 6.1.
Result<std::uint32_t> Session::add_site(const al_site& site, const al_origin& origin) {
  const auto& maps = state_->skeleton->maps;
  const auto full = [] { return fail("no room for another site", "give a higher --max-sites"); };
  std::uint32_t known = 0;
  if (bpf_map_lookup_elem(state_->fd(maps.site_ids), &site.key, &known) == 0) return known;
  const auto id = state_->take_site_id();
  if (id == 0) return full();
  state_->sites[id] = site;
  if (bpf_map_update_elem(state_->fd(maps.origins), &id, &origin, BPF_ANY) != 0) {
    state_->give_back_site(id);
    return full();
  }
  if (bpf_map_update_elem(state_->fd(maps.site_ids), &site.key, &id, BPF_NOEXIST) != 0) {  // made by a fork meanwhile
    const bool other = bpf_map_lookup_elem(state_->fd(maps.site_ids), &site.key, &known) == 0;
    state_->give_back_site(id);
    if (!other) return full();
    return known;
  }
  __atomic_store_n(&state_->sites[id].state, AL_SITE_READY, __ATOMIC_RELEASE);
  return id;
}

Result<void> Session::add_code(const al_code_key& key, const al_code& code) {
  return state_->update(state_->skeleton->maps.codes, &key, &code, "storing a function's name");
}

void Session::drop_process(pid_t pid, std::uint32_t process) {
  const auto tgid = static_cast<std::uint32_t>(pid);
  const int map = state_->fd(state_->skeleton->maps.processes);
  al_process known{};
  if (bpf_map_lookup_elem(map, &tgid, &known) == 0 && known.id == process) bpf_map_delete_elem(map, &tgid);
}

Result<void> Session::purge(std::uint32_t process) {
  auto& maps = state_->skeleton->maps;
  al_purge purge{process, 0, 0, 0};
  for (std::uint32_t id = 1; id <= sites_used(); id++) {
    const al_site& site = state_->sites[id];
    if (site.key.process != process) continue;
    if (site.created + site.inherited != site.destroyed) purge.outstanding = 1;
    if (site.inherited != 0) purge.inherited = 1;
  }
  bpf_test_run_opts run{};
  run.sz = sizeof(run);
  run.ctx_in = &purge;
  run.ctx_size_in = sizeof(purge);
  if (bpf_prog_test_run_opts(bpf_program__fd(state_->skeleton->progs.purge_process), &run) != 0) {
    return fail(system_error("forgetting the tasks of an ended process", errno));
  }
  forget_allocations(process);
  std::vector<al_code_key> codes;
  for_each_key<al_code_key>(state_->fd(maps.codes), [&](const al_code_key& key) {
    if (key.process == process) codes.push_back(key);
  });
  for (const auto& key : codes) bpf_map_delete_elem(state_->fd(maps.codes), &key);
  for (std::uint32_t id = 1; id <= sites_used(); id++) {
    const al_site& site = state_->sites[id];
    if (site.key.process != process) continue;
    bpf_map_delete_elem(state_->fd(maps.site_ids), &site.key);
    state_->give_back_site(id);
  }
  return {};
}

}  // namespace asyncleak::probe
