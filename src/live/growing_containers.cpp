#include "live/growing_containers.h"

#include "census/holders.h"

namespace asyncleak::live {
namespace {

constexpr std::size_t most_rows = 10;

// asyncio.Queue keeps its items in a deque or list of its own: who holds the queue is what one wants to know.
std::uint64_t queue_of(std::uint64_t container, const census::Snapshot& snapshot, const census::Objects& objects) {
  for (const auto queue : snapshot.queues) {
    if (objects.attribute(queue, "_queue") == container) return queue;
  }
  return 0;
}

}  // namespace

std::string GrowingContainers::title_of(const census::ContainerRecord& container, const census::Snapshot& snapshot,
                                        ProcessReader& reader) const {
  const auto queue = queue_of(container.address, snapshot, reader.readers().objects);
  return census::Holders(&reader.heap(), &reader.readers()).title(queue != 0 ? queue : container.address);
}

void GrowingContainers::look(const census::Snapshot& snapshot, ProcessReader& reader) {
  watch_.look(snapshot.containers, snapshot.ended_ns);
  auto growing = watch_.growing();
  if (growing.size() > most_rows) growing.resize(most_rows);
  std::map<std::uint64_t, std::string> titles;
  named_.clear();
  bool searched = false;
  for (const auto& container : growing) {
    auto known = titles_.find(container.address);
    if (known == titles_.end()) {
      // A search costs as much as several looks: one at a time.
      if (searched) continue;
      searched = true;
      known = titles_.emplace(container.address, title_of(container, snapshot, reader)).first;
    }
    titles.insert(*known);
    if (!known->second.empty()) named_.push_back({known->second, container.length});
  }
  titles_ = std::move(titles);
}

}  // namespace asyncleak::live
