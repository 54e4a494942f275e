// Site ids to names: what the kernel copied, decoded once per site.
//
// Used by map_reader.cpp. Holds what it decoded, so that rows survive their process.
#pragma once

#include "probe/catalog.h"
#include "probe/session.h"
#include "sample/sample.h"

#include <memory>
#include <vector>

namespace asyncleak::probe {

// Of code outside any task: only what it allocates counts.
[[nodiscard]] bool is_taskless(const al_site& site);

class Identities {
 public:
  Identities(const Session& session, const Catalog& catalog) : session_(session), catalog_(catalog) {}

  // Null while the kernel is still writing the site's names.
  [[nodiscard]] std::shared_ptr<const SiteIdentity> of(std::uint32_t site, const al_site& counters);
  void forget(std::uint32_t site);

  // A place in a function of PID; OFFSET into its bytecode, nullopt: its first line.
  [[nodiscard]] Frame frame(const al_code_key& key, std::optional<std::uint32_t> offset, std::uint32_t core,
                            pid_t pid) const;

 private:
  [[nodiscard]] Frame decode(const al_code_key& key, std::optional<std::uint32_t> offset, const al_layout& layout,
                             pid_t pid) const;
  [[nodiscard]] al_layout layout_of(std::uint32_t core) const;

  const Session& session_;
  const Catalog& catalog_;
  std::vector<std::shared_ptr<const SiteIdentity>> known_;  // by site id
  std::uint64_t handed_out_ = 0;                            // kernel ids are used again, ours are not
};

}  // namespace asyncleak::probe
