#include "interleave.h"

#include <array>
#include <cstddef>
#include <limits>
#include <semaphore>
#include <thread>

#include "fake_kernel.h"

namespace asyncleak::fake {

namespace {

class Turns {
 public:
  explicit Turns(const std::vector<int>& turns) : turns_(turns) {}

  // In the thread of actor WHO.
  void run(int who, const std::function<void()>& program) {
    self_ = who;
    cpus_[who].may_run.acquire();
    if (!cpus_[1 - who].through && turn_ < turns_.size() && turns_[turn_] == 0) hand_over();
    program();
    cpus_[who].through = true;
    cpus_[1 - who].may_run.release();
    self_ = nobody;
  }

  void at_access() {
    if (self_ == nobody) return;
    cpus_[self_].accesses++;
    if (++used_ > allowed()) hand_over();
  }

  void start() { cpus_[0].may_run.release(); }
  [[nodiscard]] Accesses accesses() const { return {cpus_[0].accesses, cpus_[1].accesses}; }

 private:
  static constexpr int nobody = -1;
  struct Cpu {
    std::counting_semaphore<> may_run{0};
    int accesses = 0;
    bool through = false;
  };

  [[nodiscard]] int allowed() const { return turn_ < turns_.size() ? turns_[turn_] : std::numeric_limits<int>::max(); }

  void hand_over() {
    const int who = self_;
    turn_++;
    used_ = 0;
    if (cpus_[1 - who].through) {
      used_ = 1;
      return;
    }
    const Thread current = kernel().current;
    const std::uint64_t cookie = kernel().cookie;
    cpus_[1 - who].may_run.release();
    cpus_[who].may_run.acquire();
    kernel().current = current;
    kernel().cookie = cookie;
    used_ = 1;  // the access that was held up
  }

  static thread_local int self_;
  const std::vector<int>& turns_;
  std::size_t turn_ = 0;
  int used_ = 0;
  std::array<Cpu, 2> cpus_;
};

thread_local int Turns::self_ = Turns::nobody;

}  // namespace

Accesses interleave(const std::function<void()>& first, const std::function<void()>& second,
                    const std::vector<int>& turns) {
  Turns state(turns);
  kernel().at_map_access = [&] { state.at_access(); };
  std::thread other([&] { state.run(1, second); });
  state.start();
  state.run(0, first);
  other.join();
  kernel().at_map_access = nullptr;
  return state.accesses();
}

void for_each_interleaving(const Accesses& most, const std::function<void(const std::vector<int>&)>& call) {
  for (int a = 0; a <= most.first; a++) {
    call({a});
    for (int b = 1; b <= most.second; b++) {
      call({a, b});
      for (int c = 1; a + c <= most.first; c++) call({a, b, c});
    }
  }
}

}  // namespace asyncleak::fake
