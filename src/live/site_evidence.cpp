#include "live/site_evidence.h"

#include "census/circles.h"
#include "census/code_uses.h"
#include "census/evidence.h"

#include <fmt/format.h>
#include <set>

namespace asyncleak::live {
namespace {

// With fewer objects nothing accumulates yet.
constexpr std::uint64_t fewest_objects = 5;
// Of subprocesses a few are many.
constexpr std::uint64_t fewest_transports = 3;

// The code object at ADDRESS if it still is that of FRAME.
std::uint64_t still(std::uint64_t address, const Frame& frame, const census::Readers& readers) {
  const auto* type = readers.objects.type_of(address);
  const bool code = type != nullptr && type->kind == census::Kind::code;
  const auto* text = code ? readers.coroutines.text_of_code(address) : nullptr;
  return text != nullptr && text->qualname == frame.function && text->file == frame.file ? address : 0;
}

}  // namespace

std::optional<PatternEvidence> SiteEvidence::of_tasks(const TasksSeen& seen, const probe::SiteCode& code,
                                                      ProcessReader& reader) {
  if (seen.count < fewest_objects && seen.in_circle == 0) return std::nullopt;
  const auto& readers = reader.readers();
  const auto [uses, fresh] = creator_uses_.try_emplace(seen.identity->id);
  if (fresh) {
    const census::CodeUses reading(&readers);
    const auto& frames = seen.identity->created_at;
    for (std::size_t i = 0; i < frames.size() && i < code.created_at.size(); i++) {
      const auto address = still(code.created_at[i], frames[i], readers);
      uses->second.push_back(address != 0 ? reading.of_code(address) : std::vector<std::string>{});
    }
  }
  PatternEvidence evidence;
  evidence.creator_uses = uses->second;
  evidence.in_circle = seen.in_circle;
  evidence.creators = seen.creators;
  for (const auto task : seen.some_pending) census::add_task(task, readers, evidence);
  return evidence;
}

std::optional<PatternEvidence> SiteEvidence::of_group(const census::Group& group, ProcessReader& reader) {
  const auto fewest = group.kind == "transport" ? fewest_transports : fewest_objects;
  if (group.count < fewest || group.examples.empty()) return std::nullopt;
  return census::evidence_of(group, reader.readers());
}

void SiteEvidence::look_for_circles(const census::Snapshot& snapshot, ProcessReader& reader) {
  auto now = census::find_circles(snapshot, reader.readers());
  in_circles_.clear();
  for (const auto task : now) {
    if (suspects_.contains(task)) in_circles_.insert(task);
  }
  suspects_ = std::move(now);
}

std::string SiteEvidence::deadlock(ProcessReader& reader) const {
  if (in_circles_.empty()) return {};
  std::set<std::string> names;
  for (const auto address : in_circles_) {
    const auto task = reader.readers().awaits.task(address);
    if (task) names.insert(reader.readers().coroutines.qualname(task->coroutine));
  }
  constexpr std::size_t most_names = 4;
  std::string text = fmt::format("{} tasks wait only for each other: ", in_circles_.size());
  std::size_t shown = 0;
  for (const auto& name : names) {
    if (shown == most_names) return text + ", ...";
    text += fmt::format("{}`{}`", shown++ == 0 ? "" : ", ", name);
  }
  return text;
}

}  // namespace asyncleak::live
