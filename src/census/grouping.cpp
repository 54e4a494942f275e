#include "census/grouping.h"

#include <map>
#include <unordered_map>

namespace asyncleak::census {
namespace {

void remember(Group& group, std::uint64_t address) {
  if (group.examples.size() < examples_of_a_group) group.examples.push_back(address);
}

std::vector<Group> values(std::map<CallableText, Group>&& groups) {
  std::vector<Group> out;
  out.reserve(groups.size());
  for (auto& [text, group] : groups) {
    group.text = text;
    out.push_back(std::move(group));
  }
  return out;
}

}  // namespace

std::vector<Group> group_generators(std::string_view kind, const std::vector<GeneratorRecord>& records,
                                    const Readers& readers) {
  std::unordered_map<std::uint64_t, Group> by_code;
  for (const auto& record : records) {
    auto& group = by_code[record.code];
    group.count++;
    remember(group, record.address);
  }
  std::map<CallableText, Group> groups;
  for (auto& [code, part] : by_code) {
    const CodeText* known = readers.coroutines.text_of_code(code);
    CallableText text{"?", "", std::nullopt};
    if (known != nullptr) text = {known->qualname, known->file, known->first_line};
    // Before 3.11 the code has only the bare name; the object has its qualified one.
    if (auto own = readers.coroutines.qualname(part.examples.front()); !own.empty()) text.name = std::move(own);
    auto& group = groups[text];
    group.kind = kind;
    group.count += part.count;
    for (const auto address : part.examples) remember(group, address);
  }
  return values(std::move(groups));
}

std::vector<Group> group_timers(const LoopView& loops) {
  std::vector<Group> out;
  for (const auto& [text, callback] : loops.timers) {
    out.push_back({"timer", text, callback.count, callback.cancelled, {callback.example}, std::nullopt});
  }
  return out;
}

std::vector<Group> group_transports(const std::vector<TransportView>& transports) {
  std::map<CallableText, Group> groups;
  for (const auto& transport : transports) {
    auto text = transport.protocol;
    if (text.name == "?") text.name = transport.type;  // the protocol is not to be seen: what carries it
    auto& group = groups[text];
    group.kind = "transport";
    group.count++;
    remember(group, transport.address);
    if (transport.write_buffer_bytes) {
      group.write_buffer_bytes = group.write_buffer_bytes.value_or(0) + *transport.write_buffer_bytes;
    }
  }
  return values(std::move(groups));
}

}  // namespace asyncleak::census
