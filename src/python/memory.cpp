#include "python/memory.h"

#include <sys/uio.h>
#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <string>

namespace asyncleak::python {

std::size_t RemoteMemory::read_each(std::span<const std::uint64_t> addresses, std::size_t size,
                                    std::span<std::byte> out) const {
  std::size_t done = 0;
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    const auto part = out.subspan(i * size, size);
    if (read(addresses[i], part)) {
      ++done;
    } else {
      std::ranges::fill(part, std::byte{0});
    }
  }
  return done;
}

Result<void> ProcessMemory::read(std::uint64_t address, std::span<std::byte> out) const {
  if (out.empty()) return {};
  const iovec local{out.data(), out.size()};
  // The kernel only uses the number; it never becomes a pointer on our side.
  const iovec remote{reinterpret_cast<void*>(address), out.size()};  // NOLINT(performance-no-int-to-ptr)
  const ssize_t got = process_vm_readv(pid_, &local, 1, &remote, 1, 0);
  if (got == static_cast<ssize_t>(out.size())) return {};
  // A short read means that the page after it is gone: the same news as EFAULT.
  const int code = got < 0 ? errno : EFAULT;
  char where[64];
  std::snprintf(where, sizeof where, "memory of PID %d at 0x%llx", pid_, static_cast<unsigned long long>(address));
  Error error = system_error(where, code);
  if (code == EPERM || code == ESRCH) error.kind = ErrorKind::unobservable;
  if (code == EPERM) error.advice = "run as root";
  return fail(std::move(error));
}

std::size_t ProcessMemory::read_each(std::span<const std::uint64_t> addresses, std::size_t size,
                                     std::span<std::byte> out) const {
  std::array<iovec, IOV_MAX> remote;
  std::size_t done = 0, at = 0;
  while (at < addresses.size()) {
    const std::size_t count = std::min(addresses.size() - at, remote.size());
    for (std::size_t i = 0; i < count; ++i) {
      // As above: never a pointer of ours.
      remote[i] = {reinterpret_cast<void*>(addresses[at + i]), size};  // NOLINT(performance-no-int-to-ptr)
    }
    const iovec local{out.data() + at * size, count * size};
    const ssize_t got = process_vm_readv(pid_, &local, 1, remote.data(), count, 0);
    if (got < 0 && errno != EFAULT) break;
    const std::size_t whole = got < 0 ? 0 : static_cast<std::size_t>(got) / size;
    done += whole;
    at += whole;
    if (whole == count) continue;
    // The kernel stops at the first address that is not there: go on behind it.
    std::ranges::fill(out.subspan(at * size, size), std::byte{0});
    ++at;
  }
  std::ranges::fill(out.subspan(at * size, (addresses.size() - at) * size), std::byte{0});
  return done;
}

}  // namespace asyncleak::python
