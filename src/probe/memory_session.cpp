#include "probe/memory_session.h"

#include "asyncleak.skel.h"
#include "probe/kernel_maps.h"
#include "probe/privileges.h"
#include "probe/session.h"
#include "util/handle.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <cstring>
#include <set>
#include <string_view>

namespace asyncleak::probe {

namespace {

// At this fill three blocks in ten thousand find both their buckets full and go to crowded_out.
constexpr std::uint32_t slots_per_block = 2;

constexpr std::uint32_t process_mask = (1U << AL_ALLOCATION_PROCESS_BITS) - 1;  // of an allocation's key

// In the order of MemoryProgram.
auto uprobe_programs(const asyncleak_bpf& skeleton) {
  const auto& programs = skeleton.progs;
  return std::array{programs.allocating,   programs.allocated,          programs.passing_malloc, programs.freeing,
                    programs.step_entered, programs.eager_step_entered, programs.step_left};
}

// Of those, and the tracepoints.
std::vector<bpf_program*> step_programs(const asyncleak_bpf& skeleton) {
  const auto& programs = skeleton.progs;
  return {programs.step_entered, programs.eager_step_entered, programs.step_left, programs.memory_exec,
          programs.memory_thread_exit};
}

std::vector<bpf_program*> memory_programs(const asyncleak_bpf& skeleton) {
  const auto uprobes = uprobe_programs(skeleton);
  std::vector<bpf_program*> programs(uprobes.begin(), uprobes.end());
  programs.insert(programs.end(), {skeleton.progs.memory_exec, skeleton.progs.memory_thread_exit});
  return programs;
}

auto memory_maps(const asyncleak_bpf& skeleton) {
  const auto& maps = skeleton.maps;
  return std::array{maps.memories, maps.memory_of, maps.allocations, maps.crowded_out,   maps.site_memory,
                    maps.line_ids, maps.lines,     maps.free_lines,  maps.memory_threads};
}

template <std::size_t N>
bool among(const std::array<bpf_map*, N>& maps, const bpf_map* map) {
  return std::find(maps.begin(), maps.end(), map) != maps.end();
}

// Every map but the memory modes' own and the constants is the first instance's.
Result<void> share_maps(asyncleak_bpf& skeleton, const asyncleak_bpf& first) {
  const auto own = memory_maps(skeleton);
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, skeleton.obj) {
    if (among(own, map) || map == skeleton.maps.rodata) continue;
    const bpf_map* lent = bpf_object__find_map_by_name(first.obj, bpf_map__name(map));
    if (lent == nullptr || bpf_map__reuse_fd(map, bpf_map__fd(lent)) != 0) {
      return fail(fmt::format("sharing the map {}: {}", bpf_map__name(map), std::strerror(errno)));
    }
  }
  return {};
}

}  // namespace

struct MemorySession::State {
  std::uint32_t max_sites = 1, max_lines = 1, buckets = 1;  // the least a map can have: steps alone
  Handle<asyncleak_bpf, asyncleak_bpf::destroy> skeleton;
  SharedArray<al_memory> memories;
  SharedArray<al_site_memory> sites;
  SharedArray<al_line> lines;
  SharedArray<al_allocation_bucket> allocations;
  std::array<bool, AL_MAX_MEMORIES> taken{};
  std::set<std::uint32_t> remembered;  // processes that may have blocks, lines or threads in the maps

  [[nodiscard]] Result<void> map_all();
  [[nodiscard]] std::uint32_t lines_used() const;
  void forget_blocks(std::uint32_t process);
  void forget_lines(std::uint32_t process);
  void forget_threads(std::uint32_t process);
};

MemorySession::MemorySession(std::unique_ptr<State> state) : state_(std::move(state)) {}
MemorySession::~MemorySession() = default;

Result<void> MemorySession::State::map_all() {
  const auto& maps = skeleton->maps;
  auto shared_memories =
      SharedArray<al_memory>::make(bpf_map__fd(maps.memories), AL_MAX_MEMORIES, "mapping `memories`");
  if (!shared_memories) return fail(shared_memories.error());
  memories = std::move(*shared_memories);
  auto shared_sites = SharedArray<al_site_memory>::make(bpf_map__fd(maps.site_memory), max_sites, "mapping the bytes");
  if (!shared_sites) return fail(shared_sites.error());
  sites = std::move(*shared_sites);
  auto shared_lines = SharedArray<al_line>::make(bpf_map__fd(maps.lines), max_lines, "mapping the lines");
  if (!shared_lines) return fail(shared_lines.error());
  lines = std::move(*shared_lines);
  auto shared = SharedArray<al_allocation_bucket>::make(bpf_map__fd(maps.allocations), buckets, "mapping the blocks");
  if (!shared) return fail(shared.error());
  allocations = std::move(*shared);
  return {};
}

void leave_out_memory(asyncleak_bpf& skeleton) {
  for (bpf_program* program : memory_programs(skeleton)) bpf_program__set_autoload(program, false);
  for (bpf_map* map : memory_maps(skeleton)) bpf_map__set_autocreate(map, false);
}

Result<std::unique_ptr<MemorySession>> MemorySession::make(const SessionOptions& options, Use use,
                                                           const asyncleak_bpf& first) {
  const RaisedPrivileges raised;
  auto state = std::make_unique<State>();
  if (use == Use::allocations) {
    state->max_sites = options.max_sites;
    state->max_lines = AL_MAX_LINES;
    state->buckets = std::max<std::uint32_t>(1, options.max_blocks / AL_BUCKET_SLOTS * slots_per_block);
  }
  const auto opened = open_programs(options);
  if (!opened) return fail(opened.error());
  state->skeleton.reset(*opened);
  auto& skeleton = *state->skeleton;
  skeleton.rodata->al_allocation_buckets = state->buckets;
  bpf_map__set_max_entries(skeleton.maps.site_memory, state->max_sites);
  bpf_map__set_max_entries(skeleton.maps.lines, state->max_lines);
  bpf_map__set_max_entries(skeleton.maps.allocations, state->buckets);
  if (auto shared = share_maps(skeleton, first); !shared) return fail(shared.error());
  const auto wanted = use == Use::steps ? step_programs(skeleton) : memory_programs(skeleton);
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, skeleton.obj) {
    bpf_program__set_autoload(program, std::find(wanted.begin(), wanted.end(), program) != wanted.end());
  }
  for (bpf_program* each : uprobe_programs(skeleton)) prepare_for_uprobes(each);
  if (const int error = asyncleak_bpf::load(&skeleton); error != 0) {
    auto why = load_error(-error);
    if (error == -ENOMEM) why.advice = "give a lower --max-blocks";
    return fail(within(use == Use::steps ? "--slow-step" : "--memory", std::move(why)));
  }
  for (auto [entry, link] : {std::pair{skeleton.progs.memory_exec, &skeleton.links.memory_exec},
                             std::pair{skeleton.progs.memory_thread_exit, &skeleton.links.memory_thread_exit}}) {
    *link = bpf_program__attach(entry);
    if (*link == nullptr) return fail(within(bpf_program__name(entry), load_error(errno)));
  }
  if (auto mapped = state->map_all(); !mapped) return fail(mapped.error());
  return std::unique_ptr<MemorySession>(new MemorySession(std::move(state)));
}

bool MemorySession::has_room() const {
  return std::find(state_->taken.begin(), state_->taken.end(), false) != state_->taken.end();
}

Result<std::uint16_t> MemorySession::add(const al_memory& memory) {
  if (memory.process > process_mask) {
    return fail(fmt::format("more than {} processes came since this program runs: their blocks cannot be told apart",
                            process_mask),
                "start asyncleak-top again");
  }
  const auto free = std::find(state_->taken.begin(), state_->taken.end(), false);
  if (free == state_->taken.end()) {
    return fail(fmt::format("allocations of {} processes are counted already, and no more can be", AL_MAX_MEMORIES));
  }
  const auto index = static_cast<std::uint32_t>(free - state_->taken.begin());
  state_->memories[index] = memory;  // before an exec can find it
  if (bpf_map_update_elem(bpf_map__fd(state_->skeleton->maps.memory_of), &memory.tgid, &index, BPF_ANY) != 0) {
    const int error = errno;
    state_->memories[index] = al_memory{};
    return fail(system_error("counting the allocations of another process", error));
  }
  *free = true;
  state_->remembered.insert(memory.process);
  return static_cast<std::uint16_t>(index);
}

Result<Attachment> MemorySession::attach(std::uint16_t memory, const std::string& path, std::vector<MemoryProbe> probes,
                                         pid_t pid) {
  std::vector<Uprobe> uprobes;
  uprobes.reserve(probes.size());
  const auto programs = uprobe_programs(*state_->skeleton);
  for (auto& probe : probes) {
    probe.cookie.memory = memory;
    std::uint64_t cookie = 0;
    static_assert(sizeof(cookie) == sizeof(probe.cookie));
    std::memcpy(&cookie, &probe.cookie, sizeof(cookie));
    uprobes.push_back(
        {programs.at(static_cast<std::size_t>(probe.program)), probe.file_offset, cookie, probe.at_return});
  }
  return Attachment::make(path, uprobes, pid);
}

void MemorySession::remove(std::uint16_t memory) {
  const auto tgid = state_->memories[memory].tgid;
  bpf_map_delete_elem(bpf_map__fd(state_->skeleton->maps.memory_of), &tgid);
  state_->memories[memory] = al_memory{};
  state_->taken.at(memory) = false;
}

al_memory MemorySession::memory(std::uint16_t index) const { return state_->memories[index]; }

std::vector<al_memory> MemorySession::counted() const {
  std::vector<al_memory> result;
  for (std::size_t i = 0; i < state_->taken.size(); i++) {
    if (state_->taken.at(i) && state_->memories[i].process != 0) result.push_back(state_->memories[i]);
  }
  return result;
}

al_site_memory MemorySession::site(std::uint32_t id) const {
  const auto& shared = state_->sites[id];
  al_site_memory copy = shared;
  read_at_once(shared.freed_blocks, [&] {
    copy.freed_blocks = load(shared.freed_blocks);
    copy.freed_bytes = load(shared.freed_bytes);
    copy.untracked_blocks = load(shared.untracked_blocks);
    copy.untracked_bytes = load(shared.untracked_bytes);
    copy.allocated_blocks = load(shared.allocated_blocks);
    copy.allocated_bytes = load(shared.allocated_bytes);
  });
  return copy;
}

std::uint32_t MemorySession::State::lines_used() const {
  return std::min<std::uint32_t>(load(skeleton->bss->al_line_ids_used), max_lines - 1);
}

std::uint32_t MemorySession::lines_used() const { return state_->lines_used(); }

al_line MemorySession::line(std::uint32_t index) const { return state_->lines[index]; }

void MemorySession::State::forget_lines(std::uint32_t process) {
  for (std::uint32_t index = 1; index <= lines_used(); index++) {
    auto& line = lines[index];
    if (line.process != process || line.ready == 0) continue;
    bpf_map_delete_elem(bpf_map__fd(skeleton->maps.line_ids), &line.key);
    line = al_line{};
    bpf_map_update_elem(bpf_map__fd(skeleton->maps.free_lines), nullptr, &index, BPF_ANY);
  }
}

void MemorySession::State::forget_blocks(std::uint32_t process) {
  for (std::uint32_t i = 0; i < buckets; i++) {
    for (auto& key : allocations[i].keys) {
      __u64 seen = load(key);
      if (seen == 0 || (seen & process_mask) != process) continue;
      __atomic_compare_exchange_n(&key, &seen, 0, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
    }
  }
  const int map = bpf_map__fd(skeleton->maps.crowded_out);
  std::vector<std::uint64_t> crowded;
  for_each_key<std::uint64_t>(map, [&](std::uint64_t key) {
    if ((key & process_mask) == process) crowded.push_back(key);
  });
  for (const auto key : crowded) {
    if (bpf_map_delete_elem(map, &key) != 0) continue;
    __atomic_sub_fetch(&skeleton->bss->al_crowded_out, 1, __ATOMIC_ACQ_REL);
  }
}

// Those that live on would go on, when they are counted again, with steps and an allocation that ended unseen.
void MemorySession::State::forget_threads(std::uint32_t process) {
  const auto* map = skeleton->maps.memory_threads;
  std::vector<std::byte> thread(bpf_map__value_size(map));  // struct memory_thread: al_thread_steps comes first
  std::vector<std::uint32_t> threads;
  for_each_key<std::uint32_t>(bpf_map__fd(map), [&](std::uint32_t tid) {
    std::uint32_t owner = 0;
    if (bpf_map_lookup_elem(bpf_map__fd(map), &tid, thread.data()) != 0) return;
    std::memcpy(&owner, thread.data(), sizeof(owner));
    if (owner == process) threads.push_back(tid);
  });
  for (const auto tid : threads) bpf_map_delete_elem(bpf_map__fd(map), &tid);
}

std::vector<ThreadSteps> MemorySession::threads_in_steps() const {
  const auto* map = state_->skeleton->maps.memory_threads;
  const auto measured = counted();
  std::vector<ThreadSteps> threads;
  std::vector<std::byte> value(bpf_map__value_size(map));
  const auto read = [&](std::uint32_t tid, al_thread_steps& steps) {
    if (bpf_map_lookup_elem(bpf_map__fd(map), &tid, value.data()) != 0) return false;
    std::memcpy(&steps, value.data(), sizeof(steps));
    return true;
  };
  for_each_key<std::uint32_t>(bpf_map__fd(map), [&](std::uint32_t tid) {
    ThreadSteps thread;
    al_thread_steps again{};
    // Twice the same: a step that began while it was copied would have the time of another.
    if (!read(tid, thread.steps) || thread.steps.count == 0 || !read(tid, again)) return;
    if (std::memcmp(&again, &thread.steps, sizeof(again)) != 0) return;
    const auto owner = std::ranges::find(measured, thread.steps.process, &al_memory::process);
    if (owner == measured.end() || owner->slow_step_ns == 0) return;
    thread.steps.count = std::min<std::uint32_t>(thread.steps.count, AL_MAX_NESTED_STEPS);
    thread.tgid = owner->tgid;
    thread.tid = tid;
    thread.slow_step_ns = owner->slow_step_ns;
    threads.push_back(thread);
  });
  return threads;
}

void MemorySession::forget(std::uint32_t process) {
  if (state_->remembered.erase(process) == 0) return;
  state_->forget_blocks(process);
  state_->forget_lines(process);
  state_->forget_threads(process);
}

void MemorySession::clear_site(std::uint32_t id) { state_->sites[id] = al_site_memory{}; }

}  // namespace asyncleak::probe
