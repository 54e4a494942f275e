#include "probe/task_records.h"

#include "python/proc_text.h"

#include <bpf/bpf.h>
#include <fmt/format.h>
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

namespace asyncleak::probe {

namespace {

// ARGUMENT goes in and comes back (net/bpf/test_run.c, bpf_prog_test_run_syscall: there is no ctx_out).
template <class Argument>
Result<void> run(int program, Argument& argument, std::string_view what) {
  bpf_test_run_opts options{};
  options.sz = sizeof(options);
  options.ctx_in = &argument;
  options.ctx_size_in = sizeof(argument);
  if (bpf_prog_test_run_opts(program, &options) != 0) return fail(system_error(what, errno));
  return {};
}

std::optional<python::ProcessStat> read_stat(pid_t pid) {
  const auto text = python::read_proc(pid, "stat");
  return text ? python::parse_stat(*text) : std::nullopt;
}

Error gone(pid_t pid) { return {fmt::format("PID {}: ended, or called exec", pid), {}, ErrorKind::unobservable}; }

template <class Text>  // al_name or al_file
Text wire_text(const std::string& from) {
  constexpr std::uint8_t utf8 = 8;
  Text text{};
  text.kind = utf8;
  text.truncated = static_cast<std::uint8_t>(from.size() > sizeof(text.text));
  text.length = static_cast<std::uint16_t>(std::min(from.size(), sizeof(text.text)));
  std::memcpy(text.text, from.data(), text.length);
  return text;
}

// FNV-1a; never 0. What a probe puts there is an address or another hash of addresses.
std::uint64_t hash_of(std::string_view text, std::uint64_t hash = 0xcbf29ce484222325) {
  for (const char byte : text) hash = (hash ^ static_cast<std::uint8_t>(byte)) * 0x100000001b3;
  return hash | 1;
}

// CALL(chunk, index of its first), as many at once as the programs take.
template <class Call>
Result<void> for_each_batch(std::span<const std::uint64_t> addresses, Call call) {
  for (std::size_t at = 0; at < addresses.size(); at += AL_BATCH_TASKS) {
    const auto chunk = addresses.subspan(at, std::min<std::size_t>(AL_BATCH_TASKS, addresses.size() - at));
    const Result<bool> go_on = call(chunk);
    if (!go_on) return fail(go_on.error());
    if (!*go_on) break;
  }
  return {};
}

}  // namespace

Result<OpenedProcess> TaskRecords::open(const KnownProcess& known) {
  const pid_t pid = known.info.pid;
  al_open_process opening{};
  opening.tgid = static_cast<std::uint32_t>(pid);
  opening.looked_ns = static_cast<std::uint64_t>(known.looked_ns);
  opening.bias = known.bias;
  opening.core = known.core != nullptr ? known.core->index : AL_NO_CORE;
  const auto what = fmt::format("opening PID {}", pid);
  if (auto ran = run(programs_.open_process, opening, what); !ran) return fail(ran.error());
  if (opening.process == 0) return fail(what + ": not watched, or too many processes", {}, ErrorKind::unobservable);
  // A look that comes after: a process that is not ending now will tell when it does.
  const auto stat = read_stat(pid);
  if (!stat || stat->ending) {
    session_.drop_process(pid, opening.process);
    return fail(gone(pid));
  }
  return OpenedProcess{pid, opening.process, stat->comm};
}

Result<std::uint32_t> TaskRecords::set_seeding(const OpenedProcess& process, al_seeding state) {
  al_set_seeding setting{static_cast<std::uint32_t>(process.pid), process.id, state, 0};
  if (auto ran = run(programs_.set_seeding, setting, "seeding older tasks"); !ran) return fail(ran.error());
  if (setting.was == AL_SEEDING_GONE) return fail(gone(process.pid));
  return setting.was;
}

Result<void> TaskRecords::begin_seeding(const OpenedProcess& process) {
  if (auto set = set_seeding(process, AL_SEEDING); !set) return fail(set.error());
  return {};
}

Result<bool> TaskRecords::end_seeding(const OpenedProcess& process, bool complete) {
  const auto was = set_seeding(process, complete ? AL_SEEDED : AL_UNSEEDED);
  if (!was) return fail(was.error());
  return complete && *was != AL_SEEDING_LOST;
}

Result<std::uint32_t> TaskRecords::seed_site(const OpenedProcess& process, const SeedSite& site) {
  al_origin origin{};
  origin.qualname = wire_text<al_name>(site.coroutine);
  origin.flags = AL_ORIGIN_PREEXISTING | (site.code == 0 ? AL_ORIGIN_TYPE : 0);
  origin.process = process.id;
  origin.ready = 1;
  if (site.code != 0) {
    origin.code = site.code;
    origin.print = hash_of(site.file, hash_of(std::to_string(site.first_line)));
    al_code code{};
    code.name = origin.qualname;
    code.file = wire_text<al_file>(site.file);
    code.first_line = static_cast<std::uint32_t>(site.first_line);
    code.ready = 1;
    if (auto added = session_.add_code({origin.code, origin.print, process.id, 0}, code); !added) {
      return fail(added.error());
    }
  }
  al_site wire{};
  wire.key = {origin.code, origin.print, hash_of(site.coroutine), AL_STACK_PREEXISTING, process.id, 0};
  wire.first_ns = static_cast<std::uint64_t>(site.born_ns);
  wire.tgid = static_cast<std::uint32_t>(process.pid);
  std::memcpy(wire.comm, process.comm.data(), std::min(process.comm.size(), sizeof(wire.comm) - 1));
  return session_.add_site(wire, origin);
}

Result<Seeded> TaskRecords::seed(const OpenedProcess& process, std::uint32_t site,
                                 std::span<const std::uint64_t> addresses) {
  Seeded seeded;
  const auto ran = for_each_batch(addresses, [&](std::span<const std::uint64_t> chunk) -> Result<bool> {
    al_seed_tasks seed{static_cast<std::uint32_t>(process.pid),  process.id, site,
                       static_cast<std::uint32_t>(chunk.size()), 0,          AL_SEED_ALL};
    std::copy(chunk.begin(), chunk.end(), programs_.batch->addresses);
    if (auto done = run(programs_.seed_tasks, seed, "seeding older tasks"); !done) return fail(done.error());
    if (seed.end == AL_SEED_NO_SITE) return fail(fmt::format("seeding older tasks: no site {}", site));
    seeded.inserted += seed.inserted;
    if (seed.end == AL_SEED_NOT_SEEDING) seeded.end = SeedEnd::stopped;
    if (seed.end == AL_SEED_FULL) seeded.end = SeedEnd::full;
    return seeded.end == SeedEnd::all;
  });
  if (!ran) return fail(ran.error());
  return seeded;
}

Result<std::vector<TaskRecords::Birth>> TaskRecords::births_of(std::uint32_t process,
                                                               std::span<const std::uint64_t> addresses) {
  std::vector<Birth> births;
  births.reserve(addresses.size());
  const auto ran = for_each_batch(addresses, [&](std::span<const std::uint64_t> chunk) -> Result<bool> {
    al_sites_of asked{process, static_cast<std::uint32_t>(chunk.size())};
    std::copy(chunk.begin(), chunk.end(), programs_.batch->addresses);
    if (auto done = run(programs_.sites_of_tasks, asked, "looking tasks up"); !done) return fail(done.error());
    for (std::size_t i = 0; i < chunk.size(); i++) {
      births.push_back({programs_.batch->sites[i], static_cast<std::int64_t>(programs_.batch->born_ns[i])});
    }
    return true;
  });
  if (!ran) return fail(ran.error());
  return births;
}

Result<std::vector<std::uint32_t>> TaskRecords::sites_of(std::uint32_t process,
                                                         std::span<const std::uint64_t> addresses) {
  const auto births = births_of(process, addresses);
  if (!births) return fail(births.error());
  std::vector<std::uint32_t> sites;
  sites.reserve(births->size());
  for (const auto& birth : *births) sites.push_back(birth.site);
  return sites;
}

}  // namespace asyncleak::probe
