#include "util/atomic_file.h"

#include "util/handle.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <cerrno>
#include <cstdlib>

namespace asyncleak {
namespace {

Result<void> write_all(int fd, std::string_view content, const std::string& path) {
  while (!content.empty()) {
    const ssize_t written = ::write(fd, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail(system_error(fmt::format("writing {}", path), errno));
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

// The steps after the temporary file exists; the caller removes it when one fails.
Result<void> fill_and_rename(Fd fd, const std::string& temporary, std::string_view content, const std::string& path) {
  if (auto done = write_all(fd.get(), content, path); !done) return done;
  // mkostemp makes 0600; the collector runs as another user.
  if (fchmod(fd.get(), 0644) != 0) return fail(system_error(fmt::format("changing the mode of {}", path), errno));
  if (fsync(fd.get()) != 0) return fail(system_error(fmt::format("flushing {}", path), errno));
  fd.reset();
  if (rename(temporary.c_str(), path.c_str()) != 0) {
    return fail(system_error(fmt::format("renaming {} to {}", temporary, path), errno));
  }
  return {};
}

}  // namespace

Result<void> write_file_atomically(const std::string& path, std::string_view content) {
  std::string temporary = path + ".XXXXXX";
  Fd fd(mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd) return fail(system_error(fmt::format("creating {}", path), errno));
  auto done = fill_and_rename(std::move(fd), temporary, content, path);
  if (!done) unlink(temporary.c_str());
  return done;
}

PublishedFile::PublishedFile(PublishedFile&& other) noexcept
    : path_(std::move(other.path_)), written_(std::exchange(other.written_, false)) {}

PublishedFile::~PublishedFile() {
  if (written_) unlink(path_.c_str());
}

Result<void> PublishedFile::write(std::string_view content) {
  auto done = write_file_atomically(path_, content);
  if (done) written_ = true;
  return done;
}

}  // namespace asyncleak
