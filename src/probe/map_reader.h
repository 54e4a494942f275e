// Kernel maps to a Sample: the only place where wire values become what the model reads.
//
// Used by live_source.cpp. Cost is O(sites + processes), never O(tasks).
#pragma once

#include "probe/catalog.h"
#include "probe/drops.h"
#include "probe/identities.h"
#include "probe/session.h"
#include "sample/sample.h"

#include <cstdint>
#include <map>
#include <set>
#include <string>

namespace asyncleak::probe {

class MapReader {
 public:
  // KEEP_ENDED: processes that ended stay in every sample (`run` sums up at the end).
  MapReader(Session& session, const Catalog& catalog, bool keep_ended);

  // TRAP_NS: measured cost of a uprobe hit without the program.
  [[nodiscard]] Sample read(double trap_ns);

 private:
  struct Seen {  // a process by its session id
    pid_t pid = 0;
    std::uint32_t parent = 0;
    std::uint64_t destroyed_unknown = 0;
    Coverage coverage = Coverage::since_attach;
    ProcessSample last;  // what /proc said while it lived
  };

  [[nodiscard]] ProbeSample read_probes(const Counters& counters, double trap_ns) const;
  [[nodiscard]] Coverage coverage_of(pid_t pid, const Seen& seen) const;
  [[nodiscard]] ProcessSample describe(pid_t pid) const;
  void read_sites(Sample& sample);
  void read_processes(Sample& sample);
  void purge_ended();

  Session& session_;
  const Catalog& catalog_;
  bool keep_ended_;
  Identities identities_;
  std::map<std::uint32_t, Seen> seen_;  // by process id
  std::set<std::uint32_t> ended_;       // shown as ended, to be purged
  std::string host_;
};

}  // namespace asyncleak::probe
