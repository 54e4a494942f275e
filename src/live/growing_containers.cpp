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

// Weak references hold nothing: asyncio's own sets of all tasks are full of them.
bool holds_weakly(std::uint64_t container, const census::Objects& objects) {
  const census::Type* first = nullptr;
  const auto look = [&](std::uint64_t object) {
    first = objects.type_of(object);
    return false;
  };
  const auto* type = objects.type_of(container);
  if (type != nullptr && type->kind == census::Kind::dict) {
    objects.each_entry(container, [&](std::uint64_t, std::uint64_t value) { return look(value); });
  } else {
    objects.each_item(container, look);
  }
  return first != nullptr && first->kind == census::Kind::weak_reference;
}

// What loops keep there is in rows of its own: timers, callbacks.
bool is_of_loop(std::uint64_t container, const census::Snapshot& snapshot, const census::Objects& objects) {
  for (const auto loop : snapshot.loops) {
    if (objects.attribute(loop, "_scheduled") == container || objects.attribute(loop, "_ready") == container) {
      return true;
    }
  }
  return false;
}

}  // namespace

GrowingContainers::Known GrowingContainers::name(const census::ContainerRecord& container,
                                                 const census::Snapshot& snapshot, ProcessReader& reader) {
  const auto& objects = reader.readers().objects;
  if (holds_weakly(container.address, objects) || is_of_loop(container.address, snapshot, objects)) return {};
  const auto queue = queue_of(container.address, snapshot, objects);
  return {census::Holders(&reader.heap(), &reader.readers()).title(queue != 0 ? queue : container.address), queue};
}

void GrowingContainers::look(const census::Snapshot& snapshot, ProcessReader& reader) {
  watch_.look(snapshot.containers, snapshot.ended_ns);
  auto growing = watch_.growing();
  if (growing.size() > most_rows) growing.resize(most_rows);
  std::map<std::uint64_t, Known> still_growing;
  named_.clear();
  bool searched = false;
  for (const auto& container : growing) {
    auto known = known_.find(container.address);
    if (known == known_.end()) {
      // A search costs as much as several looks: one at a time.
      if (searched) continue;
      searched = true;
      known = known_.emplace(container.address, name(container, snapshot, reader)).first;
    }
    still_growing.insert(*known);
    const auto& [title, queue] = known->second;
    if (!title.empty()) named_.push_back({title, container.length, container.address, queue});
  }
  known_ = std::move(still_growing);
}

}  // namespace asyncleak::live
