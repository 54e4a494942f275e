// The target's memory, read only, never stopped.
//
// An interface, so that tests read a byte array and the product a process. Used by
// interpreter.cpp, objects.cpp and src/probe (line tables too long for the kernel's copy).
#pragma once

#include "util/result.h"

#include <sys/types.h>
#include <cstddef>
#include <cstdint>
#include <span>

namespace asyncleak::python {

class RemoteMemory {
 public:
  virtual ~RemoteMemory() = default;
  // Fills all of OUT or fails; a torn or vanished page is an ordinary error.
  [[nodiscard]] virtual Result<void> read(std::uint64_t address, std::span<std::byte> out) const = 0;

  // SIZE bytes from each of ADDRESSES, one after the other into OUT; zeros where they cannot be read. Returns at how
  // many addresses they could.
  [[nodiscard]] virtual std::size_t read_each(std::span<const std::uint64_t> addresses, std::size_t size,
                                              std::span<std::byte> out) const;

  template <class T>
  [[nodiscard]] Result<T> value(std::uint64_t address) const {
    T out;
    if (auto ok = read(address, std::as_writable_bytes(std::span(&out, 1))); !ok) return tl::unexpected(ok.error());
    return out;
  }
};

// process_vm_readv(2): needs the right to ptrace the process, stops nothing.
class ProcessMemory final : public RemoteMemory {
 public:
  explicit ProcessMemory(pid_t pid) : pid_(pid) {}
  [[nodiscard]] Result<void> read(std::uint64_t address, std::span<std::byte> out) const override;
  // In bulk: a thousand addresses a system call.
  [[nodiscard]] std::size_t read_each(std::span<const std::uint64_t> addresses, std::size_t size,
                                      std::span<std::byte> out) const override;

 private:
  pid_t pid_;
};

}  // namespace asyncleak::python
