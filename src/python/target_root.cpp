#include "python/target_root.h"

#include "util/handle.h"
#include "util/read_text.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace asyncleak::python {

// A file system in user space could let us wait for ever, but one that somebody without privilege mounted refuses
// processes outside its user namespace, us too, before it is asked (fs/fuse/dir.c, fuse_allow_current_process()).
std::optional<std::string> read_in_root(pid_t pid, const char* path, std::size_t most_bytes) {
  const std::string root_path = "/proc/" + std::to_string(pid) + "/root";
  const Fd root(open(root_path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root) return std::nullopt;
  open_how how{};
  how.flags = O_PATH | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  const Fd place(static_cast<int>(syscall(SYS_openat2, root.get(), path, &how, sizeof(how))));
  if (!place) return std::nullopt;
  struct stat status {};
  if (fstat(place.get(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  const std::string same = "/proc/self/fd/" + std::to_string(place.get());
  const Fd file(open(same.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  if (!file) return std::nullopt;
  return read_text(file.get(), most_bytes);
}

}  // namespace asyncleak::python
