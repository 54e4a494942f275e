// Which processes have their allocations counted (--memory, key m): switches the modes on and off, one process at a
// time, and off again where they cost too much. With --slow-step the steps of all are measured, by the same probes
// where allocations are counted too.
//
// Used by live_source.cpp.
#pragma once

#include "elf/image.h"
#include "live/pool_check.h"
#include "probe/catalog.h"
#include "probe/memory_plan.h"
#include "probe/memory_session.h"
#include "probe/task_records.h"
#include "sample/sample.h"
#include "util/result.h"

#include <sys/types.h>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace asyncleak::live {

struct MemoryOptions {
  MemoryMode mode = MemoryMode::objects;  // of every process, until set() says otherwise
  bool lines = false;                     // which line of Python allocates
  std::uint64_t min_size = 0;             // bytes; smaller blocks are not counted
  double overhead_limit_percent = 50;     // of one core, for one process; above that its mode is switched off
  std::uint64_t slow_step_ns = 0;         // longer steps of tasks are counted; 0: steps are not measured
};

struct MemoryChange {
  MemoryMode wanted = MemoryMode::objects, in_force = MemoryMode::objects;
};

class MemoryModes {
 public:
  // SESSION outlives this.
  MemoryModes(probe::Session& session, MemoryOptions options) : session_(session), options_(options) {}
  MemoryModes(const MemoryModes&) = delete;
  MemoryModes& operator=(const MemoryModes&) = delete;
  ~MemoryModes();

  // New processes get their mode, ended ones lose it, too dear ones too. To be called after their older tasks were
  // counted: what these allocate goes to their sites.
  // TRAP_NS: of one uprobe hit without its program.
  void update(const probe::Catalog& catalog, probe::TaskRecords& records, double trap_ns);
  // At once those that have no older tasks: before their first allocation, if possible.
  void greet(const probe::Catalog& catalog, probe::TaskRecords& records);
  // The mode after the one last wanted: objects, malloc, all, objects. Error: the process cannot have it, and why; then
  // its allocations are not counted.
  [[nodiscard]] Result<MemoryChange> set_next(const probe::KnownProcess& process, probe::TaskRecords& records);
  void add_to(Sample& sample, double trap_ns) const;
  [[nodiscard]] bool measures_steps() const { return options_.slow_step_ns > 0; }

 private:
  using Plan = std::function<Result<probe::MemoryPlan>(const elf::Image&)>;
  enum class Part { c_allocator, objects, steps };
  struct Planned {
    probe::OpenImage image;
    const probe::MemoryPlan* plan = nullptr;  // in plans_
  };

  struct Counting {  // a process whose allocations are counted, or in mode objects whose steps alone are measured
    probe::MemorySession* session = nullptr;
    std::uint16_t memory = 0;   // al_memory's index
    std::uint32_t process = 0;  // the kernel's id
    std::int64_t since_ns = 0;
    std::string allocator;
    std::vector<probe::Attachment> probes;
    std::uint64_t checked_hits = 0;  // when the price was last looked at
    std::int64_t checked_ns = 0;
    std::optional<PoolCheck> pools;  // until it has decided
    bool steps_only = false;
    [[nodiscard]] al_memory counters() const { return session->memory(memory); }
  };
  struct Known {
    std::uint64_t start_ticks = 0;
    const probe::Core* core = nullptr;
    MemoryMode wanted = MemoryMode::objects, mode = MemoryMode::objects;
    std::optional<Counting> counting;
    std::string trouble, steps_trouble;       // the latter: why its steps are not measured
    bool again = false, steps_again = false;  // what the trouble is may pass
    [[nodiscard]] bool counts_allocations() const { return counting && !counting->steps_only; }
  };

  void follow(const probe::Catalog& catalog);
  [[nodiscard]] bool is_due(const Known& known) const;
  void switch_to(Known& known, const probe::KnownProcess& process, probe::TaskRecords& records);
  // False: known.trouble says why not.
  bool begin(Known& known, const probe::KnownProcess& process, MemoryMode mode, probe::TaskRecords& records);
  // With --slow-step, when no mode is in force.
  void measure_steps(Known& known, const probe::KnownProcess& process, probe::TaskRecords& records);
  [[nodiscard]] Result<Counting> start(const probe::KnownProcess& process, MemoryMode mode,
                                       probe::TaskRecords& records);
  [[nodiscard]] Result<Planned> plan(const python::MappedFile& file, Part part, const Plan& make_plan);
  [[nodiscard]] Result<std::vector<Planned>> plan_all(const probe::KnownProcess& process,
                                                      const python::PythonImages& images,
                                                      const std::optional<python::MappedFile>& provider,
                                                      MemoryMode mode);
  [[nodiscard]] al_memory wire_of(const probe::KnownProcess& process, const elf::Image& core, std::uint32_t id,
                                  MemoryMode mode) const;
  [[nodiscard]] Result<void> attach(Counting& counting, const probe::KnownProcess& process,
                                    const std::vector<Planned>& plans);
  void stop(Known& known);
  [[nodiscard]] bool has_room() const;
  // Called exec since the catalog looked at it.
  [[nodiscard]] bool replaced_itself(const probe::KnownProcess& process) const;
  // False: the mode all is not exact here, and known.trouble says why.
  [[nodiscard]] static bool pools_agree(Known& known);
  void check_price(Known& known, double trap_ns, std::int64_t now_ns);
  [[nodiscard]] double hit_cost_ns(const al_memory& memory, double trap_ns) const;

  probe::Session& session_;
  MemoryOptions options_;
  std::map<pid_t, Known> known_;
  std::optional<double> return_ns_;  // what a return probe adds to a hit; measured with the first mode
  std::map<std::pair<probe::ImageKey, Part>, Result<probe::MemoryPlan>> plans_;
};

}  // namespace asyncleak::live
