#include "live/process_reader.h"

namespace asyncleak::live {
namespace {

constexpr std::size_t most_cached_bytes = 16U << 20;

}  // namespace

ProcessReader::ProcessReader(pid_t pid, const python::Interpreter& interpreter, const python::ObjectLayout& objects,
                             std::uint64_t bias)
    : memory_(pid),
      cache_(&memory_, most_cached_bytes),
      heap_{pid, &cache_, &memory_, interpreter.layout, objects, bias},
      readers_(&heap_) {}

// Include/internal/pycore_gc.h: a head before the object whose first link is zero when it is untracked; free-threaded
// builds: a bit.
bool ProcessReader::is_tracked(std::uint64_t object) const {
  if ((heap_.objects.flags & python::obj_gc_head) != 0)
    return memory_.value<std::uint64_t>(object - 16).value_or(0) != 0;
  return (memory_.value<std::uint8_t>(object + heap_.objects.gc_bits).value_or(0) & 1) != 0;
}

Result<std::unique_ptr<ProcessReader>> ProcessReader::open(const probe::KnownProcess& process) {
  if (process.core == nullptr) return fail("no interpreter was found in it", {}, ErrorKind::unobservable);
  if (!process.core->interpreter) return fail(process.core->interpreter.error());
  if (!process.objects) return fail(process.objects.error());
  return std::unique_ptr<ProcessReader>(
      new ProcessReader(process.info.pid, *process.core->interpreter, *process.objects, process.bias));
}

}  // namespace asyncleak::live
