#include "python/memory.h"

#include <sys/uio.h>
#include <cerrno>
#include <cstdio>
#include <string>

namespace asyncleak::python {

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

}  // namespace asyncleak::python
