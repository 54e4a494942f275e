#include "live_python.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "elf/image.h"
#include "python/process.h"

namespace asyncleak::census {
namespace {

namespace fs = std::filesystem;

// Asleep in a system call ("0 0x0 ..."), not "running".
bool sleeps(const fs::path& thread) {
  std::ifstream file(thread / "syscall");
  std::string first;
  return static_cast<bool>(file >> first) && first != "running";
}

bool wait_until_at_rest(pid_t pid) {
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (std::chrono::steady_clock::now() < give_up) {
    bool all = true;
    std::error_code error;
    for (const auto& thread : fs::directory_iterator("/proc/" + std::to_string(pid) + "/task", error)) {
      all = sleeps(thread.path()) && all;
    }
    if (error) return false;
    if (all) return true;
    sched_yield();
  }
  return false;
}

bool ends_within(pid_t pid, int milliseconds) {
  const Fd process(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  pollfd ended{process.get(), POLLIN, 0};
  return poll(&ended, 1, milliseconds) == 1;
}

}  // namespace

std::vector<python::Present> live_interpreters() {
  auto found = python::interpreters_present();
  const char* more = std::getenv("ASYNCLEAK_PYTHONS");
  std::istringstream paths(more != nullptr ? more : "");
  for (std::string path; std::getline(paths, path, ':');) {
    if (!path.empty()) found.push_back({"", path});
  }
  return found;
}

LivePython::LivePython(const python::Present& interpreter, const std::string& script, Wait wait) : wait_(wait) {
  start(interpreter, script);
  auto said = listen();
  if (!said) {
    error_ = "the script printed no JSON";
    return;
  }
  said_ = std::move(*said);
  error_ = look();
  if (error_.empty() && wait == Wait::at_rest && !wait_until_at_rest(pid_)) error_ = "it does not come to rest";
}

LivePython::~LivePython() {
  to_child_.reset();
  if (pid_ <= 0) return;
  constexpr int patience_ms = 10'000;
  if (!ends_within(pid_, patience_ms)) kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

void LivePython::start(const python::Present& interpreter, const std::string& script) {
  std::array<int, 2> in{}, out{};
  if (pipe2(in.data(), O_CLOEXEC) != 0 || pipe2(out.data(), O_CLOEXEC) != 0) return;
  pid_ = fork();
  if (pid_ == 0) {
    if (!interpreter.root.empty() && (chroot(interpreter.root.c_str()) != 0 || chdir("/") != 0)) _exit(126);
    dup2(in[0], STDIN_FILENO);
    dup2(out[1], STDOUT_FILENO);
    execl(interpreter.exe.c_str(), interpreter.exe.c_str(), "-I", "-c", script.c_str(), nullptr);
    _exit(127);
  }
  close(in[0]);
  close(out[1]);
  to_child_ = Fd(in[1]);
  from_child_ = Fd(out[0]);
}

std::optional<nlohmann::json> LivePython::listen() {
  std::array<char, 65536> part{};
  std::size_t end = 0;
  while ((end = heard_.find('\n')) == std::string::npos) {
    const auto got = read(from_child_.get(), part.data(), part.size());
    if (got <= 0) return std::nullopt;
    heard_.append(part.data(), static_cast<std::size_t>(got));
  }
  const auto line = heard_.substr(0, end);
  heard_.erase(0, end + 1);
  auto parsed = nlohmann::json::parse(line, nullptr, false);
  if (parsed.is_discarded()) return std::nullopt;
  return parsed;
}

std::optional<nlohmann::json> LivePython::ask(const std::string& line) {
  const std::string whole = line + "\n";
  if (write(to_child_.get(), whole.data(), whole.size()) != static_cast<ssize_t>(whole.size())) return std::nullopt;
  auto answer = listen();
  if (wait_ == Wait::at_rest && !wait_until_at_rest(pid_)) return std::nullopt;
  cache_->forget();
  return answer;
}

// Finds the interpreter's image and layout as src/probe/catalog.cpp does.
std::string LivePython::look() {
  const auto images = python::find_images(pid_);
  if (!images || !images->core) return "not a CPython process";
  const auto image = elf::Image::open(images->core->open_path);
  if (!image) return image.error().message;
  const auto interpreter = python::identify(*image, images->core->path);
  if (!interpreter) return interpreter.error().message;
  version_ = interpreter->version.text;
  const auto* row = python::find_object_row(interpreter->version.minor, interpreter->version.free_threaded);
  if (row == nullptr) return "no object layout row for " + version_;
  source_ = std::make_unique<python::ProcessMemory>(pid_);
  constexpr std::size_t cache_bytes = 16 << 20;
  cache_ = std::make_unique<CachedMemory>(source_.get(), cache_bytes);
  heap_.pid = pid_;
  heap_.memory = cache_.get();
  heap_.direct = source_.get();
  heap_.layout = interpreter->layout;
  heap_.objects = row->layout;
  heap_.bias = python::load_bias(image->segments(), *images->core);
  return {};
}

void on_each_interpreter(const std::string& script, const std::function<void(LivePython&)>& body,
                         LivePython::Wait wait) {
  for (const auto& interpreter : live_interpreters()) {
    LivePython live(interpreter, script, wait);
    INFO(interpreter.path() << " " << live.version());
    REQUIRE(live.error().empty());
    body(live);
  }
}

TEST_CASE("a living interpreter answers, and ends when its input does") {
  on_each_interpreter(R"(
import json, sys
print(json.dumps({'none': id(None)}), flush=True)
for line in sys.stdin:
    print(json.dumps({'again': line.strip()}), flush=True)
)",
                      [](LivePython& live) {
                        CHECK(live.heap().word(live.id("none") + live.heap().layout.ob_type) != 0);
                        const auto answer = live.ask("more");
                        REQUIRE(answer);
                        CHECK(answer->at("again") == "more");
                      });
}

}  // namespace asyncleak::census
