// A living interpreter with a test's own objects in it, for the tests of src/census.
//
// The script prints one line of JSON (ids, lengths, its own counts) and then waits: reading its standard input, or
// in its event loop. Which interpreters: python/interpreters_present.h, and those named in $ASYNCLEAK_PYTHONS
// (paths, separated by colons: a free-threaded build).
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "../python/interpreters_present.h"
#include "census/cached_memory.h"
#include "census/heap.h"

namespace asyncleak::census {

[[nodiscard]] std::vector<python::Present> live_interpreters();

class LivePython {
 public:
  // at_rest: only return once every thread sleeps in a system call, so that the objects no longer change.
  enum class Wait { at_rest, no };

  LivePython(const python::Present& interpreter, const std::string& script, Wait wait = Wait::at_rest);
  ~LivePython();  // closes its standard input and waits; kills it when it does not end
  LivePython(const LivePython&) = delete;
  LivePython& operator=(const LivePython&) = delete;

  [[nodiscard]] const std::string& error() const { return error_; }  // empty: it runs, and heap() can be used
  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] const std::string& version() const { return version_; }  // "3.13.5t"
  [[nodiscard]] const nlohmann::json& said() const { return said_; }
  [[nodiscard]] std::uint64_t id(const char* name) const { return said_.at(name).get<std::uint64_t>(); }
  [[nodiscard]] const Heap& heap() const { return heap_; }
  // The uncached memory, for what moves.
  [[nodiscard]] const python::RemoteMemory& memory() const { return *source_; }
  // A further step: writes LINE to the script, forgets what was read, and returns the next line of JSON; at rest again
  // when it was to be so at the start.
  [[nodiscard]] std::optional<nlohmann::json> ask(const std::string& line);

 private:
  void start(const python::Present& interpreter, const std::string& script);
  [[nodiscard]] std::optional<nlohmann::json> listen();
  [[nodiscard]] std::string look();

  pid_t pid_ = -1;
  Wait wait_;
  Fd to_child_, from_child_;
  std::string heard_;  // what came after the last line
  std::string error_, version_;
  nlohmann::json said_;
  std::unique_ptr<python::ProcessMemory> source_;
  std::unique_ptr<CachedMemory> cache_;
  Heap heap_;
};

// Runs BODY against SCRIPT in each interpreter; a failure names it.
void on_each_interpreter(const std::string& script, const std::function<void(LivePython&)>& body,
                         LivePython::Wait wait = LivePython::Wait::at_rest);

}  // namespace asyncleak::census
