#include "interpreters_present.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

namespace asyncleak::python {
namespace {

namespace fs = std::filesystem;

constexpr const char* program = R"(import asyncio, sys, sysconfig
class Server:
    def serve(self):
        async def handle():
            pass
        return handle()
coroutine = Server().serve()
d = {'name': None, 'coro': coroutine}
version = sys.version.split()[0] + ('t' if sysconfig.get_config_var('Py_GIL_DISABLED') else '')
print(version, id(coroutine), id(d), flush=True)
sys.stdin.read()
coroutine.close()
)";

std::vector<fs::path> entries(const fs::path& directory) {
  std::vector<fs::path> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error)) found.push_back(entry.path());
  std::ranges::sort(found);
  return found;
}

void add_executables(const std::string& root, const std::string& directory, std::vector<Present>& out) {
  static const std::regex wanted("python3\\.([0-9]+)t?");
  for (const fs::path& path : entries(root + directory)) {
    std::smatch match;
    const std::string name = path.filename();
    if (!std::regex_match(name, match, wanted) || std::stoi(match[1]) < 8 || fs::is_symlink(path)) continue;
    out.push_back({root, std::string(directory).append("/").append(name)});
  }
}

// Returns once the process is inside read(0, ...), where its memory no longer changes.
bool wait_until_it_reads(pid_t pid) {
  const std::string path = "/proc/" + std::to_string(pid) + "/syscall";  // "0 0x0 ...": number, arguments
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (std::chrono::steady_clock::now() < give_up) {
    std::ifstream file(path);
    std::string number, descriptor;
    if (!(file >> number)) return false;
    if (number == "0" && file >> descriptor && descriptor == "0x0") return true;
    sched_yield();
  }
  return false;
}

}  // namespace

std::vector<Present> interpreters_present() {
  std::vector<Present> found;
  add_executables("", "/usr/bin", found);
  const char* fleet = std::getenv("ASYNCLEAK_FLEET");
  if (fleet != nullptr && geteuid() == 0) {
    for (const fs::path& root : entries(fleet)) add_executables(root, "/usr/bin", found);
  }
  const char* pyenv = std::getenv("PYENV_ROOT");
  const char* home = std::getenv("HOME");
  const std::string versions =
      (pyenv != nullptr ? std::string(pyenv) : std::string(home != nullptr ? home : "") + "/.pyenv") + "/versions";
  for (const fs::path& version : entries(versions)) add_executables("", version.string() + "/bin", found);
  return found;
}

PythonChild::PythonChild(const Present& interpreter) {
  std::array<int, 2> in{}, out{};
  if (pipe2(in.data(), O_CLOEXEC) != 0 || pipe2(out.data(), O_CLOEXEC) != 0) return;
  pid_ = fork();
  if (pid_ == 0) {
    if (!interpreter.root.empty() && (chroot(interpreter.root.c_str()) != 0 || chdir("/") != 0)) _exit(126);
    dup2(in[0], STDIN_FILENO);
    dup2(out[1], STDOUT_FILENO);
    execl(interpreter.exe.c_str(), interpreter.exe.c_str(), "-I", "-c", program, nullptr);
    _exit(127);
  }
  const Fd child_in(in[0]);
  Fd child_out(out[1]);
  child_out.reset();
  to_child_ = Fd(in[1]);
  const Fd from_child(out[0]);
  char c = 0;
  std::string line;
  while (read(from_child.get(), &c, 1) == 1 && c != '\n') line += c;
  std::istringstream(line) >> version_ >> coroutine_ >> dictionary_;
  if (!wait_until_it_reads(pid_)) version_.clear();
}

PythonChild::~PythonChild() {
  to_child_.reset();
  if (pid_ > 0) waitpid(pid_, nullptr, 0);
}

TEST_CASE("Debian's own interpreter is among those tested") { CHECK_FALSE(interpreters_present().empty()); }

}  // namespace asyncleak::python
