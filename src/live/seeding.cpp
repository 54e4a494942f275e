#include "live/seeding.h"

#include <map>
#include <tuple>

namespace asyncleak::live {
namespace {

using Tasks = std::vector<std::size_t>;  // indices into the snapshot's tasks

// Before 3.11 the functions of a class share a bare name in their code: the object's own name is part of who it is.
using Coroutine = std::tuple<std::uint64_t, std::string>;  // code, qualified name

probe::SeedSite site_of(const Coroutine& coroutine, census::Readers& readers, std::int64_t attached_ns) {
  const auto& [code, qualname] = coroutine;
  probe::SeedSite site;
  site.coroutine = qualname;
  site.born_ns = attached_ns;
  if (const auto* text = readers.coroutines.text_of_code(code)) {
    site.code = code;
    site.file = text->file;
    site.first_line = text->first_line;
    if (site.coroutine.empty()) site.coroutine = text->qualname;
  }
  if (site.coroutine.empty())
    site.coroutine = std::string{'?'};  // finished before 3.11, or cleared: nobody knows any more
  return site;
}

}  // namespace

Result<bool> seed_unknown(probe::TaskRecords& records, const probe::OpenedProcess& process,
                          const census::Snapshot& snapshot, std::span<std::uint32_t> sites, census::Readers& readers,
                          std::int64_t attached_ns) {
  std::map<Coroutine, Tasks> unknown;
  for (std::size_t i = 0; i < sites.size(); i++) {
    if (sites[i] != 0 || is_half_made(snapshot.tasks[i])) continue;
    const auto coroutine = snapshot.tasks[i].coroutine;
    Coroutine key{0, ""};
    if (coroutine != 0) key = {readers.coroutines.code(coroutine), readers.coroutines.qualname(coroutine)};
    unknown[key].push_back(i);
  }
  bool all = true;
  for (const auto& [coroutine, tasks] : unknown) {
    const auto site = records.seed_site(process, site_of(coroutine, readers, attached_ns));
    if (!site) return fail(site.error());
    std::vector<std::uint64_t> addresses;
    addresses.reserve(tasks.size());
    for (const auto i : tasks) addresses.push_back(snapshot.tasks[i].address);
    const auto seeded = records.seed(process, *site, addresses);
    if (!seeded) return fail(seeded.error());
    all &= seeded->end == probe::SeedEnd::all;
    for (const auto i : tasks) sites[i] = *site;
  }
  return all;
}

}  // namespace asyncleak::live
