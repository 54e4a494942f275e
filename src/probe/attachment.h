// Uprobes in place, for as long as the object lives.
//
// Used by session.cpp and memory_session.cpp (which have the programs) and by who keeps probes.
#pragma once

#include "util/result.h"

#include <sys/types.h>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

struct bpf_program;

namespace asyncleak::probe {

struct Uprobe {
  const bpf_program* program = nullptr;
  std::uint64_t file_offset = 0;
  std::uint64_t cookie = 0;  // what the program asks bpf_get_attach_cookie() for
  bool at_return = false;    // file_offset is then that of the function
};

// Uprobes on one image (all processes, or one); detached when destroyed.
class Attachment {
 public:
  Attachment(Attachment&&) noexcept;
  Attachment& operator=(Attachment&&) noexcept;
  ~Attachment();

  // All or none. PID -1: every process that maps the file, now or later; 0: ourselves.
  [[nodiscard]] static Result<Attachment> make(const std::string& path, const std::vector<Uprobe>& probes, pid_t pid);

 private:
  struct Links;
  explicit Attachment(std::unique_ptr<Links> links);
  std::unique_ptr<Links> links_;
};

}  // namespace asyncleak::probe
