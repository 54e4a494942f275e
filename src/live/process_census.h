// The census of one process: looks at its memory, joins what it finds to the kernel's counts, and keeps the
// result until the next look.
//
// Used by censuses.cpp. The first look seeds the tasks from before the attach.
#pragma once

#include "census/grouping.h"
#include "census/pymalloc.h"
#include "live/growing_containers.h"
#include "live/process_reader.h"
#include "live/site_evidence.h"
#include "live/site_holders.h"
#include "probe/map_reader.h"
#include "probe/task_records.h"
#include "sample/sample.h"
#include "util/result.h"

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace asyncleak::live {

// What a look needs of the kernel's side.
struct KernelSide {
  probe::TaskRecords* records = nullptr;
  probe::MapReader* reader = nullptr;
};

class ProcessCensus {
 public:
  // Both are of one process. Error: its objects cannot be read, and why.
  [[nodiscard]] static Result<std::unique_ptr<ProcessCensus>> open(const probe::KnownProcess& process,
                                                                   const probe::OpenedProcess& opened);

  // Error: gone, or not readable; what the last look saw stands.
  [[nodiscard]] Result<void> look(const KernelSide& kernel, std::int64_t attached_ns);

  // Adds what the last look saw to the process's own row and its sites, and rows for what no probe sees.
  void add_to(ProcessSample& process, const std::map<std::uint64_t, SiteSample*>& sites_by_id,
              std::vector<SiteSample>& more) const;

  [[nodiscard]] const probe::OpenedProcess& process() const { return process_; }
  [[nodiscard]] ProcessReader& reader() { return *reader_; }

 private:
  struct SiteTasks {  // of one kernel site
    std::shared_ptr<const SiteIdentity> identity;
    SiteCensus counts;
    std::uint64_t tasks = 0;
    std::vector<std::uint64_t> some, some_pending;  // addresses, chosen evenly
    std::uint64_t in_circle = 0;
    probe::SiteCode code;
  };

  ProcessCensus(std::unique_ptr<ProcessReader> reader, probe::OpenedProcess process)
      : reader_(std::move(reader)), process_(std::move(process)) {}

  [[nodiscard]] Result<CensusSample> join(const census::Snapshot& snapshot, const KernelSide& kernel,
                                          std::int64_t attached_ns, const probe::TaskTotals& before);
  [[nodiscard]] Result<std::uint64_t> lasting_unknown(const census::Snapshot& snapshot,
                                                      const std::vector<std::uint32_t>& sites,
                                                      const KernelSide& kernel);
  void count_sites(const census::Snapshot& snapshot, const std::vector<std::uint32_t>& sites, probe::MapReader& kernel);
  void look_closer(SiteTasks& site);
  void read_groups(const census::Snapshot& snapshot);
  [[nodiscard]] SiteSample row_of(const census::Group& group);
  [[nodiscard]] std::shared_ptr<const SiteIdentity> identity(const census::Group& group);

  std::unique_ptr<ProcessReader> reader_;
  probe::OpenedProcess process_;
  bool seeded_ = false;
  std::set<std::uint64_t> suspects_;  // tasks without a record at the last look
  census::ArenaVariables arena_variables_;
  GrowingContainers growing_;
  SiteHolders holders_;
  SiteEvidence evidence_;
  std::map<std::string, std::shared_ptr<const SiteIdentity>> identities_;  // of rows no probe sees
  // of the last look
  CensusSample sample_;
  std::optional<MemorySample> memory_;
  std::string deadlock_;                               // empty: none was seen
  std::map<std::uint64_t, Shared<SiteCensus>> sites_;  // by SiteIdentity::id
  std::vector<SiteSample> groups_;
  std::vector<LoopSample> loops_;
  std::uint64_t asyncgens_ = 0;
  bool looked_ = false;
};

}  // namespace asyncleak::live
