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

// One link for all probes of a program on one image (Linux 6.10): a link takes the kernel some 0.2 s to end,
// whatever it holds.
[[nodiscard]] bool attaches_many();
// Before PROGRAM is loaded: as attaches_many() says.
void prepare_for_uprobes(bpf_program* program);

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
  // All at once, where the kernel would take its time over one after the other.
  static void detach(std::vector<Attachment> attachments);

 private:
  struct Links;
  explicit Attachment(std::unique_ptr<Links> links);
  [[nodiscard]] Result<void> attach_groups(const std::string& path, const std::vector<Uprobe>& probes, pid_t pid);
  [[nodiscard]] Result<void> attach_each(const std::string& path, const std::vector<Uprobe>& probes, pid_t pid);
  std::unique_ptr<Links> links_;
};

}  // namespace asyncleak::probe
