#include "util/atomic_file.h"

#include "util/handle.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <cstdio>
#include <filesystem>

namespace asyncleak {
namespace {

using FileKey = std::pair<dev_t, ino_t>;

// Where a file is to be: its directory, opened, and its name there.
struct Place {
  std::string path;
  Fd directory;
  std::string name;
};

// Where the link that is open as LINK and called FOLDER leads to. Only root's and our own are followed, as the kernel's
// protected_symlinks does it in sticky directories: one that another user put there leads where that user wants.
Result<std::filesystem::path> follow(const Fd& link, uid_t owner, const std::filesystem::path& folder) {
  if (owner != 0 && owner != geteuid()) {
    return fail(
        fmt::format("{} is a symbolic link of another user (uid {}), which is not followed", folder.string(), owner));
  }
  std::array<char, PATH_MAX> target{};
  const ssize_t length = readlinkat(link.get(), "", target.data(), target.size());
  if (length < 0) return fail(system_error(fmt::format("following {}", folder.string()), errno));
  return folder.parent_path() / std::string_view(target.data(), static_cast<std::size_t>(length));
}

// O_PATH: a directory that may be written to and searched need not be readable.
Result<Fd> open_folder(std::filesystem::path folder, const std::string& path) {
  constexpr int most_links = 8;
  for (int i = 0; i < most_links; i++) {
    Fd fd(open(folder.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    struct stat status {};
    if (!fd || fstat(fd.get(), &status) != 0) return fail(system_error(fmt::format("creating {}", path), errno));
    if (S_ISDIR(status.st_mode)) return fd;
    if (!S_ISLNK(status.st_mode)) return fail(system_error(fmt::format("creating {}", path), ENOTDIR));
    auto target = follow(fd, status.st_uid, folder);
    if (!target) return fail(target.error());
    folder = std::move(*target);
  }
  return fail(system_error(fmt::format("creating {}", path), ELOOP));
}

Result<Place> open_place(const std::string& path) {
  const std::filesystem::path file(path);
  auto folder = open_folder(file.has_parent_path() ? file.parent_path() : ".", path);
  if (!folder) return fail(folder.error());
  return Place{path, std::move(*folder), file.filename().string()};
}

Result<void> write_all(int fd, std::string_view content, const std::string& path) {
  while (!content.empty()) {
    const ssize_t written = ::write(fd, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return fail(system_error(fmt::format("writing {}", path), errno));
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

// Hidden, and with our name in it: what has it in this directory, and is ours, is a temporary file of this program.
std::string temporary_prefix(const Place& place) { return fmt::format(".{}.asyncleak-", place.name); }

// A new file under a temporary name, which nobody else has: O_EXCL follows no link. Locked as long as it is written:
// one without a lock is a killed writer's.
struct Temporary {
  std::string name;
  Fd fd;
};
Result<Temporary> create_temporary(const Place& place) {
  for (int attempt = 0; attempt < 16; attempt++) {
    std::uint64_t random = 0;
    if (getrandom(&random, sizeof(random), 0) != sizeof(random)) return fail(system_error("getrandom", errno));
    Temporary temporary{temporary_prefix(place) + fmt::format("{:016x}", random), {}};
    temporary.fd = Fd(openat(place.directory.get(), temporary.name.c_str(),
                             O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!temporary.fd && errno == EEXIST) continue;
    if (!temporary.fd) return fail(system_error(fmt::format("creating {}", place.path), errno));
    // A file system without locks: then nobody takes it for stale either.
    (void)flock(temporary.fd.get(), LOCK_EX | LOCK_NB);
    return temporary;
  }
  return fail(system_error(fmt::format("creating {}", place.path), EEXIST));
}

// The steps after the temporary file exists; the caller removes it when one fails.
Result<FileKey> fill_and_rename(const Place& place, Temporary& temporary, std::string_view content) {
  const int fd = temporary.fd.get();
  if (auto done = write_all(fd, content, place.path); !done) return fail(done.error());
  // It was made 0600; the collector runs as another user.
  if (fchmod(fd, 0644) != 0) return fail(system_error(fmt::format("changing the mode of {}", place.path), errno));
  if (fsync(fd) != 0) return fail(system_error(fmt::format("flushing {}", place.path), errno));
  struct stat status {};
  if (fstat(fd, &status) != 0) return fail(system_error(fmt::format("looking at {}", place.path), errno));
  const int directory = place.directory.get();
  if (renameat(directory, temporary.name.c_str(), directory, place.name.c_str()) != 0) {
    return fail(system_error(fmt::format("replacing {}", place.path), errno));
  }
  return FileKey{status.st_dev, status.st_ino};
}

Result<FileKey> write_at(const Place& place, std::string_view content) {
  auto temporary = create_temporary(place);
  if (!temporary) return fail(temporary.error());
  auto done = fill_and_rename(place, *temporary, content);
  if (!done) unlinkat(place.directory.get(), temporary->name.c_str(), 0);
  return done;
}

// What is there already is a plain file of ours, or nothing.
Result<void> require_ours(const Place& place) {
  struct stat status {};
  if (fstatat(place.directory.get(), place.name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return {};
    return fail(system_error(fmt::format("looking at {}", place.path), errno));
  }
  const char* advice = "remove it, or give another name";
  if (S_ISLNK(status.st_mode)) return fail(place.path + " is a symbolic link, which is not followed", advice);
  if (!S_ISREG(status.st_mode)) return fail(place.path + " is not a file", advice);
  if (status.st_uid != geteuid()) {
    return fail(fmt::format("{} belongs to another user (uid {})", place.path, status.st_uid), advice);
  }
  return {};
}

// Ours, plain, and nobody holds its lock.
bool is_stale(int directory, const char* name) {
  const Fd fd(openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat status {};
  if (!fd || fstat(fd.get(), &status) != 0) return false;
  return S_ISREG(status.st_mode) && status.st_uid == geteuid() && flock(fd.get(), LOCK_EX | LOCK_NB) == 0;
}

void remove_stale(const Place& place) {
  const int readable = openat(place.directory.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (readable < 0) return;  // nothing to be seen, nothing to be cleaned
  const Handle<DIR, closedir> entries(fdopendir(readable));
  if (!entries) return;
  const std::string prefix = temporary_prefix(place);
  while (const dirent* entry = readdir(entries.get())) {
    const std::string_view name = entry->d_name;
    if (!name.starts_with(prefix) || !is_stale(dirfd(entries.get()), entry->d_name)) continue;
    unlinkat(dirfd(entries.get()), entry->d_name, 0);
  }
}

}  // namespace

Result<void> write_file_atomically(const std::string& path, std::string_view content) {
  const auto place = open_place(path);
  if (!place) return fail(place.error());
  const auto done = write_at(*place, content);
  if (!done) return fail(done.error());
  return {};
}

PublishedFile::PublishedFile(PublishedFile&& other) noexcept
    : path_(std::move(other.path_)), written_(std::exchange(other.written_, std::nullopt)) {}

PublishedFile::~PublishedFile() {
  if (!written_) return;
  const auto place = open_place(path_);
  struct stat status {};
  if (!place || fstatat(place->directory.get(), place->name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return;
  if (FileKey{status.st_dev, status.st_ino} != *written_) return;
  unlinkat(place->directory.get(), place->name.c_str(), 0);
}

Result<void> PublishedFile::write(std::string_view content) {
  const auto place = open_place(path_);
  if (!place) return fail(place.error());
  if (auto ours = require_ours(*place); !ours) return ours;
  if (!written_) remove_stale(*place);
  const auto done = write_at(*place, content);
  if (!done) return fail(done.error());
  written_ = *done;
  return {};
}

}  // namespace asyncleak
