#include "python/memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <cstring>
#include <vector>

namespace asyncleak::python {
namespace {

std::uint64_t address_of(const void* pointer) { return reinterpret_cast<std::uint64_t>(pointer); }

// Calls read() for each: what the interface does where nothing better is known.
class OneByOne final : public RemoteMemory {
 public:
  [[nodiscard]] Result<void> read(std::uint64_t address, std::span<std::byte> out) const override {
    return ProcessMemory(getpid()).read(address, out);
  }
};

TEST_CASE("many reads in bulk: what is not there is zeros, the rest is read") {
  // More than fit in one system call, with holes at the begin, in the middle, twice in a row, and at the end.
  std::vector<std::uint64_t> values(3000);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = 1000 + i;
  std::vector<std::uint64_t> addresses;
  addresses.reserve(values.size());
  for (const std::uint64_t& value : values) addresses.push_back(address_of(&value));
  void* hole = mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(hole != MAP_FAILED);
  for (const std::size_t i : {0U, 1500U, 1501U, 2047U, 2048U, 2999U}) {
    addresses[i] = address_of(hole);
    values[i] = 0;
  }
  std::vector<std::uint64_t> out(values.size(), ~0ULL);
  const auto bytes = std::as_writable_bytes(std::span(out));
  SECTION("by process_vm_readv") { CHECK(ProcessMemory(getpid()).read_each(addresses, 8, bytes) == 2994); }
  SECTION("one by one") { CHECK(OneByOne().read_each(addresses, 8, bytes) == 2994); }
  CHECK(out == values);
  munmap(hole, 4096);
}

TEST_CASE("many reads of a process that is gone are all zeros") {
  constexpr pid_t nobody = 0x7ffffff0;
  std::array<std::uint64_t, 3> out = {1, 2, 3};
  const std::array<std::uint64_t, 3> addresses = {4096, 8192, address_of(&out)};
  CHECK(ProcessMemory(nobody).read_each(addresses, 8, std::as_writable_bytes(std::span(out))) == 0);
  CHECK(out == std::array<std::uint64_t, 3>{});
}

}  // namespace
}  // namespace asyncleak::python
