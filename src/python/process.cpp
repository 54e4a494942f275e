#include "python/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <array>
#include <cerrno>
#include <charconv>
#include <climits>

#include "python/proc_text.h"
#include "util/handle.h"
#include "util/read_text.h"

namespace asyncleak::python {
namespace {

std::string proc_path(pid_t pid, std::string_view name) {
  return "/proc/" + std::to_string(pid) + "/" + std::string(name);
}

Error process_error(pid_t pid, std::string_view what, int code) {
  const std::string name = "PID " + std::to_string(pid);
  if (code == ENOENT || code == ESRCH) return {"no process with " + name, {}, ErrorKind::unobservable};
  if ((code == EACCES || code == EPERM) && geteuid() == 0) {
    return {name + " may not be looked at, not even by root here", "run where CAP_SYS_PTRACE covers it",
            ErrorKind::unobservable};
  }
  if (code == EACCES || code == EPERM) {
    return {name + " belongs to another user", "run as root", ErrorKind::unobservable};
  }
  return system_error("reading " + proc_path(pid, what), code);
}

Result<std::string> read_link(pid_t pid, std::string_view name) {
  std::array<char, PATH_MAX> target;
  const ssize_t length = readlink(proc_path(pid, name).c_str(), target.data(), target.size());
  if (length < 0) return fail(process_error(pid, name, errno));
  return std::string(target.data(), static_cast<std::size_t>(length));
}

std::string_view basename_of(std::string_view path) { return path.substr(path.rfind('/') + 1); }

bool is_libpython(std::string_view path) {
  // Not libpython3.so, the stub of the stable ABI: it holds no interpreter.
  const std::string_view name = basename_of(path);
  return name.starts_with("libpython3.") && name.size() > 11 && name[11] >= '0' && name[11] <= '9' &&
         name.find(".so") != std::string_view::npos;
}

bool is_interpreter(std::string_view path) { return basename_of(path).starts_with("python"); }

// Extension modules and the standard library's directory: /usr/lib/python3.11/lib-dynload/...
bool tells_python(std::string_view path) {
  return path.find("/python3") != std::string_view::npos || path.find(".cpython-3") != std::string_view::npos ||
         path.find(".abi3.so") != std::string_view::npos;
}

std::optional<FileId> file_id(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return std::nullopt;
  return FileId{status.st_dev, status.st_ino};
}

// /proc shows a chrooted process's paths from our root, not from its own.
std::string path_inside(pid_t pid, const std::string& path) {
  const auto root = read_link(pid, "root");
  if (!root || *root == "/" || !path.starts_with(*root + "/")) return path;
  return path.substr(root->size());
}

struct Candidates {
  std::optional<Mapping> exe, libpython, asyncio;
  bool python_named = false;  // a mapped file's path speaks of Python
};

Candidates scan_maps(std::string_view maps, std::string_view exe) {
  Candidates found;
  while (!maps.empty()) {
    const std::size_t end = maps.find('\n');
    const std::string_view line = maps.substr(0, end);
    maps = end == std::string_view::npos ? std::string_view{} : maps.substr(end + 1);
    auto mapping = parse_mapping(line);
    if (!mapping) continue;
    found.python_named = found.python_named || tells_python(mapping->path);
    // Images are recognised by their code: a program may also map such a file just to read it.
    if (!mapping->executable) continue;
    if (!found.exe && mapping->path == exe) {
      found.exe = std::move(mapping);
    } else if (!found.libpython && is_libpython(mapping->path)) {
      found.libpython = std::move(mapping);
    } else if (!found.asyncio && is_asyncio_file(mapping->path)) {
      found.asyncio = std::move(mapping);
    }
  }
  return found;
}

std::optional<Mapping> core_of(const Candidates& found, const std::string& exe) {
  if (found.libpython) return found.libpython;
  const bool exe_is_core = found.exe && (is_interpreter(exe) || found.asyncio || found.python_named);
  return exe_is_core ? found.exe : std::nullopt;
}

}  // namespace

Result<std::string> read_exe(pid_t pid) {
  auto path = read_link(pid, "exe");
  constexpr std::string_view deleted = " (deleted)";
  if (path && path->ends_with(deleted)) path->resize(path->size() - deleted.size());
  return path;
}

// map_files is its owner's directory, so CAP_DAC_READ_SEARCH, and its links want CAP_SYS_ADMIN or
// CAP_CHECKPOINT_RESTORE (fs/proc/base.c, 5.9), but reach the very inode
// whatever became of the path. Without it the path, if the inode there is still the one mapped.
Result<MappedFile> file_of(pid_t pid, const Mapping& mapping) {
  MappedFile file{mapping.id,
                  path_inside(pid, mapping.path),
                  proc_path(pid, "map_files/" + map_files_name(mapping)),
                  mapping.start,
                  mapping.offset,
                  mapping.deleted};
  if (const auto id = file_id(file.open_path)) {
    file.id = *id;
    return file;
  }
  const bool forbidden = errno == EPERM || errno == EACCES;
  file.open_path = proc_path(pid, "root") + file.path;
  const auto id = file_id(file.open_path);
  if (!mapping.deleted && id && id->inode == mapping.id.inode) {
    file.id = *id;
    return file;
  }
  const std::string fate =
      mapping.deleted || id ? " was replaced or deleted since it was started" : " cannot be reached";
  return fail("PID " + std::to_string(pid) + ": " + mapping.path + fate,
              forbidden ? "run as root, or with CAP_DAC_READ_SEARCH and CAP_CHECKPOINT_RESTORE" : "restart the process",
              ErrorKind::unobservable);
}

Result<std::string> read_proc(pid_t pid, std::string_view name, std::size_t most_bytes) {
  const Fd fd(open(proc_path(pid, name).c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail(process_error(pid, name, errno));
  auto text = read_text(fd.get(), most_bytes);
  if (!text) return fail(process_error(pid, name, errno));
  return std::move(*text);
}

std::vector<pid_t> list_processes() {
  std::vector<pid_t> pids;
  const Handle<DIR, closedir> directory(opendir("/proc"));
  if (!directory) return pids;
  while (const dirent* entry = readdir(directory.get())) {
    const std::string_view name = entry->d_name;
    pid_t pid = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error == std::errc{} && end == name.data() + name.size()) pids.push_back(pid);
  }
  return pids;
}

Result<ProcessInfo> read_process(pid_t pid) {
  constexpr std::size_t most_cmdline_bytes = 65536;  // a stranger may make it as long as he likes
  ProcessInfo info;
  info.pid = pid;
  const auto stat_text = read_proc(pid, "stat");
  if (!stat_text) return fail(stat_text.error());
  const auto parsed = parse_stat(*stat_text);
  if (!parsed) return fail("PID " + std::to_string(pid) + ": /proc/PID/stat has no start time");
  info.start_ticks = parsed->start_ticks;
  auto comm = read_proc(pid, "comm");
  auto cmdline = read_proc(pid, "cmdline", most_cmdline_bytes);
  if (!comm) return fail(comm.error());
  if (!cmdline) return fail(cmdline.error());
  if (comm->ends_with('\n')) comm->pop_back();
  info.comm = parse_cmdline(*comm);
  info.cmdline = parse_cmdline(*cmdline);
  // Readable for the owner and root only; everything else here is for everybody.
  info.exe = read_exe(pid).value_or("");
  struct stat status {};
  if (stat(proc_path(pid, "").c_str(), &status) != 0) return fail(process_error(pid, "", errno));
  info.uid = status.st_uid;
  return info;
}

Result<PythonImages> find_images(pid_t pid) {
  const auto exe = read_exe(pid);
  const auto maps = read_proc(pid, "maps");
  if (!maps) return fail(maps.error());
  // A kernel thread has no memory and so no executable.
  if (maps->empty()) return PythonImages{};
  if (!exe) return fail(exe.error());
  const Candidates found = scan_maps(*maps, *exe);

  PythonImages images;
  const auto core = core_of(found, *exe);
  if (!core) return images;
  auto core_file = file_of(pid, *core);
  if (!core_file) return fail(core_file.error());
  images.core = std::move(*core_file);
  images.might_be_builtin = !found.asyncio;
  if (found.asyncio) {
    auto asyncio_file = file_of(pid, *found.asyncio);
    if (!asyncio_file) return fail(asyncio_file.error());
    images.asyncio = std::move(*asyncio_file);
  }
  return images;
}

bool maps_an_interpreter(pid_t pid) {
  const auto exe = read_exe(pid);
  const auto maps = read_proc(pid, "maps");
  return exe && maps && core_of(scan_maps(*maps, *exe), *exe).has_value();
}

std::uint64_t load_bias(std::span<const elf::Segment> segments, const MappedFile& file) {
  const std::uint64_t page_mask = ~(static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE)) - 1);
  for (const elf::Segment& segment : segments) {
    if (segment.executable && (segment.file_offset & page_mask) <= file.offset &&
        file.offset < segment.file_offset + segment.file_size) {
      return file.start - (segment.vaddr + file.offset - segment.file_offset);
    }
  }
  return file.start - file.offset;
}

std::optional<MemorySizes> memory_sizes(pid_t pid) {
  const auto text = read_proc(pid, "statm");
  if (!text) return std::nullopt;
  const char* const end = text->data() + text->size();
  std::uint64_t mapped = 0, resident = 0;  // pages
  const auto [blank, error] = std::from_chars(text->data(), end, mapped);
  if (error != std::errc{} || blank == end) return std::nullopt;
  if (std::from_chars(blank + 1, end, resident).ec != std::errc{}) return std::nullopt;
  const auto page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  return MemorySizes{mapped * page, resident * page};
}

bool is_python_file(const std::string& path) {
  return is_libpython(path) || is_interpreter(path) || is_asyncio_file(path);
}

bool is_asyncio_file(const std::string& path) {
  const std::string_view name = basename_of(path);
  return name.starts_with("_asyncio.") && name.find(".so") != std::string_view::npos;
}

}  // namespace asyncleak::python
