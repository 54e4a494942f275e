// The interpreters of this machine, and children that run them, for the tests of src/python.
//
// Debian's own python3; the roots under $ASYNCLEAK_FLEET (each a directory with usr/bin/python3.N, run by chroot);
// pyenv's versions under $PYENV_ROOT (default ~/.pyenv).
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "util/handle.h"

namespace asyncleak::python {

struct Present {
  std::string root;  // chroot there; empty: none
  std::string exe;   // inside root
  [[nodiscard]] std::string path() const { return root + exe; }
};
[[nodiscard]] std::vector<Present> interpreters_present();

// A child that has imported asyncio, said so, and waits for its standard input to close, in line waiting_line of
// "<string>". It holds a coroutine called Server.serve.<locals>.handle and the dict {"name": None, "coro": it}.
class PythonChild {
 public:
  explicit PythonChild(const Present& interpreter);
  ~PythonChild();
  PythonChild(const PythonChild&) = delete;
  PythonChild& operator=(const PythonChild&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] const std::string& version() const { return version_; }  // "3.11.2"; empty: it did not start
  [[nodiscard]] std::uint64_t coroutine() const { return coroutine_; }
  [[nodiscard]] std::uint64_t dictionary() const { return dictionary_; }
  static constexpr int waiting_line = 11;

 private:
  pid_t pid_ = -1;
  Fd to_child_;
  std::string version_;
  std::uint64_t coroutine_ = 0, dictionary_ = 0;
};

}  // namespace asyncleak::python
