// Two CPUs: lets two sequences of programs run against each other, changing over at chosen accesses to maps.
#pragma once

#include <functional>
#include <vector>

namespace asyncleak::fake {

// Runs FIRST for turns[0] accesses, then SECOND for turns[1], then FIRST for turns[2] and so on, the last turn without
// end; when one is through the other runs on. Before its first access a turn of 0 does nothing. Returns how many
// accesses each made.
struct Accesses {
  int first = 0, second = 0;
};
Accesses interleave(const std::function<void()>& first, const std::function<void()>& second,
                    const std::vector<int>& turns);

// CALL(turns) for every way to change over up to three times, FIRST beginning; more turns than accesses are left out.
void for_each_interleaving(const Accesses& most, const std::function<void(const std::vector<int>&)>& call);

}  // namespace asyncleak::fake
