// Who holds an object, in words that lead to the line to fix: "set `background_tasks` of module app (412 items)".
//
// Used by inspect and the drill-down of the live view, on request. Follows references upwards until a name is
// found: a module's global, an attribute, a local, a closure. What asyncio itself needs to wake a task (the callbacks
// of the future it waits for, its handle) does not count as holding it.
#pragma once

#include "census/references.h"
#include "census/snapshot.h"

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace asyncleak::census {

class Holders {
 public:
  Holders(const Heap* heap, Readers* readers) : heap_(heap), readers_(readers) {}

  // Texts for each of TARGETS, most telling first; an empty list: nobody but asyncio was found. Addresses that are
  // gone have none.
  [[nodiscard]] Result<std::map<std::uint64_t, std::vector<std::string>>> of(std::span<const std::uint64_t> targets);
  // What TARGET is called: its type and where it is kept, "list `listeners` of app.Emitter".
  [[nodiscard]] std::string title(std::uint64_t target);

 private:
  struct Step {
    std::string text;          // what is known here
    std::uint64_t follow = 0;  // the container whose own name is still wanted; 0: TEXT is complete
    int rank = 0;              // lower is more telling
    std::string key{};         // of a dict: under which it holds; the attribute's name, should it be a __dict__
  };
  [[nodiscard]] std::optional<Step> step(const Reference& reference) const;
  [[nodiscard]] std::optional<Step> of_instance(const Reference& reference) const;
  [[nodiscard]] std::optional<Step> of_generator(const Reference& reference) const;
  [[nodiscard]] std::optional<Step> of_dict(const Reference& reference) const;
  [[nodiscard]] std::optional<Step> of_container(const Reference& reference) const;
  [[nodiscard]] const std::vector<std::string>& name(std::uint64_t target, int depth);
  [[nodiscard]] std::string closure_variable(const Reference& of_cell) const;
  // "" when the key is no str; nullopt: it is not in the dict.
  [[nodiscard]] std::optional<std::string> key_of(std::uint64_t dict, std::uint64_t key_or_value) const;

  const Heap* heap_;
  Readers* readers_;
  struct Known {
    Reference reference;
    Step step;
  };
  std::multimap<std::uint64_t, Known> references_;           // by target
  std::map<std::uint64_t, std::vector<std::string>> names_;  // by target; empty while it is being named: a cycle
};

}  // namespace asyncleak::census
