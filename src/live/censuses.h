// The censuses of all watched processes: which is due, and what the last ones saw.
//
// Used by live_source.cpp.
#pragma once

#include "live/census_budget.h"
#include "live/process_census.h"
#include "probe/catalog.h"
#include "sample/sample.h"

#include <sys/types.h>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

namespace asyncleak::live {

class Censuses {
 public:
  // PERCENT of one core, in the mean; 0: no census.
  explicit Censuses(double percent) : percent_(percent), budget_(percent) {}

  // Looks at those that are due: new ones at once.
  void look(const probe::Catalog& catalog, const KernelSide& kernel);
  // Puts what the last looks saw into SAMPLE.
  void add_to(Sample& sample) const;

  // For a deeper look at one; null: its objects cannot be read.
  [[nodiscard]] ProcessReader* reader_of(pid_t pid);

 private:
  struct Known {
    const probe::Core* core = nullptr;  // where what the looks rest on is: another after exec
    std::uint64_t bias = 0;
    std::unique_ptr<ProcessCensus> census;  // null: not looked at yet, or its objects cannot be read
    std::string trouble;                    // why there is no census, or none any more
  };
  void follow(const probe::Catalog& catalog);
  [[nodiscard]] static Result<void> look_at(const probe::KnownProcess& process, Known& known, const KernelSide& kernel);

  double percent_;
  CensusBudget budget_;
  bool started_ = false;  // what there was at the start is known
  std::map<pid_t, Known> known_;
};

}  // namespace asyncleak::live
