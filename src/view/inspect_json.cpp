#include "view/inspect_json.h"

#include "util/text.h"
#include "view/json_parts.h"

#include <fmt/format.h>

namespace asyncleak {
namespace {

Json address_json(std::uint64_t address) { return address != 0 ? Json(fmt::format("{:#x}", address)) : Json(); }

Json process_json(const ProcessSample& process) {
  Json json = identity_json(process);
  json.update(Json{{"rss_bytes", or_null(process.rss_bytes)}, {"memory", memory_json(process.memory)}});
  return json;
}

Json census_json(const std::optional<CensusSample>& census) {
  if (!census) return nullptr;
  return {
      {"objects", census->objects},
      {"duration_ms", or_null(std::optional(census->duration_s * 1e3))},
      {"complete", census->complete},
      {"tasks", census->tasks},
      {"unknown_to_kernel", census->unknown_to_kernel},
      {"not_found", census->not_found},
      {"reasons", census->reasons},
  };
}

Json waiter_json(const InspectedWaiter& waiter) {
  return {
      {"how", waiter.how},
      {"task", or_null(waiter.task)},
      {"address", address_json(waiter.address)},
      {"callback", or_null(waiter.callback)},
  };
}

Json local_json(const InspectedLocal& local) {
  return {
      {"frame", or_null(local.frame)},   {"name", or_null(local.name)}, {"type", or_null(local.type)},
      {"length", or_null(local.length)}, {"bytes", local.bytes},        {"at_least", local.at_least},
      {"value", or_null(local.value)},
  };
}

Json result_json(const std::optional<InspectedLocal>& result) {
  if (!result) return nullptr;
  return {
      {"type", or_null(result->type)},
      {"length", or_null(result->length)},
      {"bytes", result->bytes},
      {"value", or_null(result->value)},
  };
}

Json waiting_for_json(const InspectedTask& task) {
  if (task.waiting_for_type.empty()) return nullptr;
  return {{"type", task.waiting_for_type}, {"address", address_json(task.waiting_for_address)}};
}

Json task_json(const InspectedTask& task) {
  return {
      {"address", address_json(task.address)},
      {"name", or_null(task.name)},
      {"state", task.state},
      {"cancel_requested", task.cancel_requested},
      {"coroutine", or_null(task.coroutine)},
      {"file", or_null(task.file)},
      {"line", or_null(task.line)},
      {"created_at", frames_json(task.created_at)},
      {"age_s", or_null(task.age_s)},
      {"age_at_least", task.age_at_least},
      {"await_chain", frames_json(task.await_chain)},
      {"chain_cut", task.chain_cut},
      {"waiting_for", waiting_for_json(task)},
      {"awaited_by", list_json(task.awaited_by, waiter_json)},
      {"waiters_complete", task.waiters_complete},
      {"held_bytes", or_null(task.held_bytes)},
      {"held_at_least", task.held_at_least},
      {"locals", list_json(task.locals, local_json)},
      {"holders", task.holders},
      {"result", result_json(task.result)},
  };
}

// What all groups say.
Json group_json(const InspectedGroup& group, const char* name) {
  return {
      {name, or_null(group.name)},
      {"file", or_null(group.file)},
      {"line", or_null(group.line)},
      {"count", group.count},
  };
}

Json coroutine_json(const InspectedGroup& group) {
  Json json = group_json(group, "coroutine");
  json["holders"] = group.holders;
  return json;
}

Json asyncgen_json(const InspectedGroup& group) {
  Json json = coroutine_json(group);
  json["waiting_at"] = frames_json(group.waiting_at);
  return json;
}

Json timer_json(const InspectedGroup& group) {
  Json json = group_json(group, "callback");
  json["cancelled"] = group.cancelled;
  json["holders"] = group.holders;
  return json;
}

Json ready_json(const InspectedGroup& group) { return group_json(group, "callback"); }

Json transport_json(const InspectedTransport& transport) {
  return {
      {"type", transport.type},          {"protocol", or_null(transport.protocol)},
      {"peer", or_null(transport.peer)}, {"sock", or_null(transport.sock)},
      {"count", transport.count},        {"write_buffer_bytes", or_null(transport.write_buffer_bytes)},
  };
}

Json queue_json(const InspectedQueue& queue) {
  return {
      {"type", queue.type},       {"length", queue.length},   {"maxsize", or_null(queue.maxsize)},
      {"getters", queue.getters}, {"putters", queue.putters}, {"holders", queue.holders},
  };
}

Json wait_json(const InspectedWait& wait) { return {{"type", wait.type}, {"waiters", wait.waiters}}; }

}  // namespace

std::string to_json(const Inspection& inspection) {
  const ProcessSample& process = inspection.process;
  return dump_line({
      {"schema", "asyncleak-inspect/1"},
      {"time", format_time_utc(inspection.wall_ns)},
      {"process", process_json(process)},
      {"census", census_json(process.census)},
      {"tasks_total", inspection.tasks_total},
      {"tasks_left_out", inspection.tasks_left_out},
      {"loops", loops_json(process.loops)},
      {"tasks", list_json(inspection.tasks, task_json)},
      {"coroutines", list_json(inspection.coroutines, coroutine_json)},
      {"asyncgens", list_json(inspection.asyncgens, asyncgen_json)},
      {"timers", list_json(inspection.timers, timer_json)},
      {"ready", list_json(inspection.ready, ready_json)},
      {"transports", list_json(inspection.transports, transport_json)},
      {"queues", list_json(inspection.queues, queue_json)},
      {"waits", list_json(inspection.waits, wait_json)},
  });
}

}  // namespace asyncleak
