// Kernel maps to a Sample: the only place where wire values become what the model reads.
//
// Used by src/live. Cost is O(sites + processes), never O(tasks).
#pragma once

#include "probe/catalog.h"
#include "probe/drops.h"
#include "probe/identities.h"
#include "probe/session.h"
#include "probe/slow_steps.h"
#include "sample/sample.h"

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace asyncleak::probe {

// What /proc and the catalog say of a process; what is counted is not filled in.
[[nodiscard]] ProcessSample describe(const KnownProcess& known);

// Of one process, from its sites.
struct TaskTotals {
  std::uint64_t outstanding = 0, destroyed = 0;
};

// Addresses of code objects in the process of a site: the coroutine's own, and of its creation stack, as in
// SiteIdentity::created_at. They may have been freed, and the memory used again, since.
struct SiteCode {
  std::uint64_t own = 0;
  std::vector<std::uint64_t> created_at;
};

class MapReader {
 public:
  // KEEP_ENDED: processes that ended stay in every sample (`run` sums up at the end).
  MapReader(Session& session, const Catalog& catalog, bool keep_ended);

  // TRAP_NS: measured cost of a uprobe hit without the program.
  [[nodiscard]] Sample read(double trap_ns, const RunningSteps& running);

  [[nodiscard]] TaskTotals totals(std::uint32_t process) const;
  // Null: its names are not to be had yet. Valid until the site is forgotten with its process.
  [[nodiscard]] std::shared_ptr<const SiteIdentity> identity_of(std::uint32_t site);
  [[nodiscard]] SiteCode code_of(std::uint32_t site) const;

 private:
  struct Seen {  // a process by its session id
    pid_t pid = 0;
    std::uint32_t parent = 0;
    std::uint64_t destroyed_unknown = 0;
    Coverage coverage = Coverage::since_attach;          // of what the probes saw
    bool seeded = false;                                 // and what was there before them is counted too
    bool measures_steps = false, tells_pending = false;  // ever: so it stays when it has ended
    [[nodiscard]] Coverage tasks() const { return seeded ? Coverage::exact : coverage; }
    ProcessSample last;  // what /proc said while it lived
  };

  [[nodiscard]] ProbeSample read_probes(const Counters& counters, double trap_ns) const;
  [[nodiscard]] Coverage coverage_of(pid_t pid, const Seen& seen) const;
  [[nodiscard]] ProcessSample describe(pid_t pid) const;
  void read_sites(Sample& sample, const RunningSteps& running);
  void note_what_is_known(Seen& seen, std::uint32_t process) const;
  void read_unawaited(std::uint32_t site, const al_site& counters);
  void read_processes(Sample& sample);
  void purge_ended();

  Session& session_;
  const Catalog& catalog_;
  bool keep_ended_;
  Identities identities_;
  std::map<std::uint32_t, Seen> seen_;                            // by process id
  std::set<std::uint32_t> measured_;                              // process ids whose steps are; of this sample
  std::set<std::uint32_t> ended_;                                 // shown as ended, to be purged
  std::map<std::uint32_t, std::vector<NeverAwaited>> unawaited_;  // by process id; of the sample being read
  std::string host_;
};

}  // namespace asyncleak::probe
