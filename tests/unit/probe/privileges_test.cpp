#include "probe/privileges.h"

#include "in_child.h"

#include <sys/capability.h>
#include <unistd.h>
#include <catch2/catch.hpp>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <map>
#include <string>

namespace asyncleak::probe {
namespace {

// "CapEff" and the like of this process.
std::map<std::string, std::uint64_t> status() {
  std::ifstream file("/proc/self/status");
  std::map<std::string, std::uint64_t> values;
  for (std::string key, value; file >> key && std::getline(file, value);) {
    key.pop_back();
    if (key.starts_with("Cap") || key == "NoNewPrivs") values[key] = std::strtoull(value.c_str(), nullptr, 16);
  }
  return values;
}

constexpr std::uint64_t bit(int capability) { return std::uint64_t{1} << capability; }
constexpr std::uint64_t attaching = bit(CAP_BPF) | bit(CAP_PERFMON) | bit(CAP_SYS_ADMIN);

}  // namespace

TEST_CASE("what is given up is gone from every set, and attaching is in effect only while it lasts") {
  CHECK(in_child([] {
          const auto before = status();
          if (!give_up_privileges()) return 1;
          const auto after = status();
          if (after.at("NoNewPrivs") != 1 || after.at("CapInh") != 0 || after.at("CapAmb") != 0) return 2;
          if ((after.at("CapPrm") & ~before.at("CapPrm")) != 0) return 3;
          if ((after.at("CapPrm") & (bit(CAP_SYS_MODULE) | bit(CAP_SETUID) | bit(CAP_NET_ADMIN))) != 0) return 4;
          if ((after.at("CapEff") & attaching) != 0) return 5;
          if ((before.at("CapEff") & bit(CAP_SETPCAP)) != 0 && after.at("CapBnd") != 0) return 6;
          const auto permitted = after.at("CapPrm") & attaching;
          {
            const RaisedPrivileges raised;
            const RaisedPrivileges again;
            if ((status().at("CapEff") & attaching) != permitted) return 7;
          }
          return status().at("CapEff") == after.at("CapEff") ? 0 : 8;
        }) == 0);
}

TEST_CASE("whoever holds nothing is told everything that is missing, and what for") {
  CHECK(in_child([] {
          const cap_t none = cap_init();
          if (cap_set_proc(none) != 0) return 1;
          cap_free(none);
          if (missing_privileges() !=
              "CAP_BPF (loading BPF programs), CAP_PERFMON (tracing programs, and events of all processes), "
              "CAP_SYS_PTRACE (reading other users' processes)") {
            return 2;
          }
          return missing_for_every_file() == "CAP_DAC_READ_SEARCH, CAP_CHECKPOINT_RESTORE" ? 0 : 3;
        }) == 0);
}

}  // namespace asyncleak::probe
