// What an object keeps alive, in bytes as sys.getsizeof counts them, shared objects once.
//
// Used for locals of a task (inspect, held_bytes). Equal to a walk inside the program that adds up sys.getsizeof
// over items, keys, values, vars() and slots. Not counted and not followed:
//  - what a task does not own: modules, types, functions and code, event loops, tasks, coroutines and generators
//    (what their frames hold is asked of coroutines.h);
//  - the interpreter's own: None, booleans, ..., ints from -5 to 256, '' and characters below U+0100, b'' and single
//    bytes, (). By value, so that all lines and builds count alike;
//  - names of attributes, which the class's code owns, and a table of them shared by its instances.
// Counted by its own size alone: weak references, and objects of C types not named in deep_size.cpp. Attributes that
// have no __dict__ object yet (3.11+) count as their block of values, which sys.getsizeof sees only once there is one.
#pragma once

#include "census/objects.h"

#include <cstdint>
#include <unordered_set>
#include <vector>

namespace asyncleak::census {

struct DeepSize {
  std::uint64_t bytes = 0;
  std::uint64_t objects = 0;
  bool cut = false;  // a bound was reached, or something could not be read: bytes is "at least"
};

class DeepSizer {
 public:
  // One sizer counts each object once over all its calls. LIMIT: objects looked at, in all.
  DeepSizer(const Objects* objects, std::uint64_t limit);

  [[nodiscard]] DeepSize of(std::uint64_t object);
  // sys.getsizeof(object), without what it refers to; nullopt: could not be read.
  [[nodiscard]] std::optional<std::uint64_t> shallow(std::uint64_t object) const;
  // Objects that belong to nobody or to somebody else: not counted, not followed.
  void exclude(std::uint64_t object) { seen_.insert(object); }

 private:
  [[nodiscard]] bool nobodys(std::uint64_t object, const Type& type) const;
  void count(std::uint64_t object, DeepSize& size);
  // Queues what OBJECT refers to. False: not all of it could be read, or a bound was reached.
  bool follow(std::uint64_t object, const Type& type, DeepSize& size);
  bool follow_attributes(std::uint64_t object, DeepSize& size);
  bool follow_word(std::uint64_t address);
  bool queue(std::uint64_t object);

  const Objects* objects_;
  std::uint64_t left_;
  std::uint64_t references_left_;
  std::unordered_set<std::uint64_t> seen_;
  std::vector<std::uint64_t> waiting_;
};

}  // namespace asyncleak::census
