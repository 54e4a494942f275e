#include "view/json_parts.h"

#include "util/text.h"

#include <cmath>

namespace asyncleak {
namespace {

Json loop_json(const LoopSample& loop) {
  return {
      {"kind", or_null(loop.kind)},
      {"running", or_null(loop.running)},
      {"ready", or_null(loop.ready)},
      {"timers", or_null(loop.timers)},
      {"timers_cancelled", or_null(loop.timers_cancelled)},
      {"transports", or_null(loop.transports)},
      {"asyncgens", or_null(loop.asyncgens)},
      {"executor_queue", or_null(loop.executor_queue)},
      {"unknown", or_null(loop.unknown)},
  };
}

}  // namespace

// Six decimals: the rest is below the precision of what was measured.
Json or_null(const std::optional<double>& value) {
  return value && std::isfinite(*value) ? Json(std::round(*value * 1e6) / 1e6) : Json();
}

Json or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }

Json identity_json(const ProcessSample& process) {
  const ContainerFacts& inside = process.inside;
  return {
      {"pid", process.pid},
      {"comm", process.comm},
      {"cmdline", process.cmdline},
      {"exe", or_null(process.exe)},
      {"python", or_null(process.python)},
      {"started", process.started_wall_ns ? Json(format_time_utc(*process.started_wall_ns)) : Json()},
      {"unit", or_null(process.unit)},
      {"container", or_null(process.container)},
      {"container_runtime", or_null(inside.runtime)},
      {"container_pid", or_null(inside.pid)},
      {"pod", or_null(inside.pod)},
      {"pod_uid", or_null(inside.pod_uid)},
      {"namespace", or_null(inside.pod_namespace)},
  };
}

Json frame_json(const Frame& frame) {
  return {{"function", or_null(frame.function)}, {"file", or_null(frame.file)}, {"line", or_null(frame.line)}};
}

Json frames_json(const std::vector<Frame>& frames) { return list_json(frames, frame_json); }

Json loops_json(const std::vector<LoopSample>& loops) { return list_json(loops, loop_json); }

Json memory_json(const std::optional<MemorySample>& memory) {
  if (!memory) return nullptr;
  return {
      {"arenas_bytes", or_null(memory->arenas_bytes)},
      {"small_objects_bytes", or_null(memory->small_objects_bytes)},
      {"small_objects", or_null(memory->small_objects)},
      {"c_heap_bytes", memory->c_heap_bytes},
      {"mapped_bytes", memory->mapped_bytes},
      {"stacks_bytes", memory->stacks_bytes},
      {"files_bytes", memory->files_bytes},
      {"shared_bytes", memory->shared_bytes},
      {"swapped_bytes", memory->swapped_bytes},
      {"unknown", or_null(memory->unknown)},
  };
}

// replace: names come from a stranger's memory and need not be UTF-8.
std::string dump_line(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace asyncleak
