// What user space does to put tasks from before the attach into the counts: src/probe/task_records.cpp, on the fakes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "machine.h"

namespace asyncleak::fake {

class Seeder {
 public:
  // Opens the process.
  explicit Seeder(std::uint32_t tgid);

  [[nodiscard]] std::uint32_t process() const { return process_; }
  std::uint32_t begin() const { return set(AL_SEEDING); }
  std::uint32_t end(al_seeding state = AL_SEEDED) const { return set(state); }
  // The site of older tasks of CODE; the same one again for the same code.
  [[nodiscard]] std::uint32_t site(std::uint64_t code = 1) const;
  al_seed_tasks seed(const std::vector<Address>& addresses, std::uint32_t site) const;
  al_seed_tasks seed(const std::vector<Address>& addresses) const { return seed(addresses, site()); }
  [[nodiscard]] std::vector<std::uint32_t> sites_of(const std::vector<Address>& addresses) const;

 private:
  std::uint32_t set(al_seeding state) const;

  std::uint32_t tgid_, process_;
};

// Tasks of a process that the sites count; in the last ring, as long as its births are no turn of it old, the same.
[[nodiscard]] std::uint64_t outstanding(std::uint32_t process);
[[nodiscard]] std::uint64_t in_cohorts(std::uint32_t process);

}  // namespace asyncleak::fake
