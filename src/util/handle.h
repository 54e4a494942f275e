// Owners for file descriptors and C handles: move-only, pointer-sized, closed once.
// Used by elf, python, probe, view; standard library and unistd only.
#pragma once

#include <unistd.h>
#include <memory>
#include <utility>

namespace asyncleak {

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      reset();
      fd_ = std::exchange(other.fd_, -1);
    }
    return *this;
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() { reset(); }

  [[nodiscard]] int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  void reset() {
    if (fd_ >= 0) close(std::exchange(fd_, -1));
  }

 private:
  int fd_ = -1;
};

// Deleter type for a C API's own destroy function: Handle<Elf, elf_end>.
template <auto Destroy>
struct DestroyWith {
  template <class T>
  void operator()(T* handle) const {
    Destroy(handle);
  }
};

template <class T, auto Destroy>
using Handle = std::unique_ptr<T, DestroyWith<Destroy>>;

}  // namespace asyncleak
