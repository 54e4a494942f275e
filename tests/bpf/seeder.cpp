#include "seeder.h"

#include <algorithm>

namespace asyncleak::fake {

namespace {

al_batch& shared_batch() { return *kernel().map("batch").find<al_batch>(std::uint32_t{0}); }

}  // namespace

Seeder::Seeder(std::uint32_t tgid) : tgid_(tgid) {
  al_open_process opening{};
  opening.tgid = tgid;
  opening.core = AL_NO_CORE;
  open_process(&opening);
  process_ = opening.process;
}

std::uint32_t Seeder::set(al_seeding state) const {
  al_set_seeding setting{tgid_, process_, static_cast<std::uint32_t>(state), 0};
  set_seeding(&setting);
  return setting.was;
}

std::uint32_t Seeder::site(std::uint64_t code) const {
  al_site site{};
  site.key.code = code;
  site.key.stack = AL_STACK_PREEXISTING;
  site.key.process = process_;
  if (const auto* known = kernel().map("site_ids").find<std::uint32_t>(site.key)) return *known;
  const std::uint32_t id = ++al_site_ids_used;
  site.first_ns = kernel().now_ns;
  site.tgid = tgid_;
  site.state = AL_SITE_READY;
  al_origin origin{};
  origin.flags = AL_ORIGIN_PREEXISTING;
  origin.process = process_;
  origin.ready = 1;
  kernel().map("sites").update(&id, &site, BPF_ANY);
  kernel().map("origins").update(&id, &origin, BPF_ANY);
  kernel().map("site_ids").update(&site.key, &id, BPF_NOEXIST);
  return id;
}

al_seed_tasks Seeder::seed(const std::vector<Address>& addresses, std::uint32_t site) const {
  al_seed_tasks seed{tgid_, process_, site, static_cast<std::uint32_t>(addresses.size()), 0, 0};
  std::copy(addresses.begin(), addresses.end(), shared_batch().addresses);
  seed_tasks(&seed);
  return seed;
}

std::vector<std::uint32_t> Seeder::sites_of(const std::vector<Address>& addresses) const {
  al_sites_of asked{process_, static_cast<std::uint32_t>(addresses.size())};
  auto& batch = shared_batch();
  std::copy(addresses.begin(), addresses.end(), batch.addresses);
  sites_of_tasks(&asked);
  return {batch.sites, batch.sites + addresses.size()};
}

std::uint64_t outstanding(std::uint32_t process) {
  std::uint64_t sum = 0;
  for (const Site& site : Machine::sites(process)) {
    sum += site.site.created + site.site.inherited - site.site.destroyed - site.site.untracked;
  }
  return sum;
}

std::uint64_t in_cohorts(std::uint32_t process) {
  std::uint64_t sum = 0;
  for (const Site& site : Machine::sites(process)) {
    for (const std::uint64_t word : site.site.cohorts[AL_COHORT_LEVELS - 1]) sum += static_cast<std::uint32_t>(word);
  }
  return sum;
}

}  // namespace asyncleak::fake
