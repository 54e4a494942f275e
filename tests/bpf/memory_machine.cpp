#include "memory_machine.h"

#include <array>
#include <cstring>
#include <map>
#include <ostream>

#include "seeder.h"

namespace asyncleak::fake {

namespace {

// struct pt_regs, arch/x86/include/asm/ptrace.h, in words.
constexpr std::size_t rax = 10, rdx = 12, rsi = 13, rdi = 14, rsp = 19, register_count = 21;

constexpr std::size_t object_size = 0x100;
constexpr Address data_stack = 0x7e0000000000;  // of a thread, 3.11+: frames one after the other
constexpr Address frame_stride = 0x100;

std::uint64_t in_last_ring(const al_site_memory& memory) {
  std::uint64_t sum = 0;
  for (const std::uint64_t word : memory.cohorts[AL_BYTE_LEVELS - 1]) sum += word & ((1ULL << AL_BYTE_BITS) - 1);
  return sum;
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const Balance& balance) {
  return out << balance.bytes << " bytes in " << balance.blocks;
}

Counted::Counted(const python::LayoutRow& row, std::uint32_t buckets)
    : machine(row), process(machine.start(tgid)), id_(Seeder(tgid).process()) {
  al_allocation_buckets = buckets;
  kernel().map("allocations").resize(buckets);
  kernel().jiffies = 1'000'000;
  true_object = process.python.object(process.python.type("bool"), 32);
  al_memory& memory = Counted::memory();
  memory.tgid = tgid;
  memory.core = Machine::core();
  memory.bias = Python::bias;
  memory.true_object = true_object;
  memory.task_coro = task_coro;
  memory.process = id_;
  const std::uint32_t known = index;
  kernel().map("memory_of").update(&tgid, &known, BPF_ANY);
}

al_memory& Counted::memory() { return *kernel().map("memories").find<al_memory>(std::uint32_t{index}); }

void Counted::set_id(std::uint32_t id) {
  kernel().map("processes").find<al_process>(std::uint32_t{tgid})->id = id;
  memory().process = id_ = id;
}

Address Counted::older_task(const std::u32string& name) {
  const Address task = process.memory->allocate(object_size);
  process.memory->put(task + task_coro, Machine::coroutine(process, name));
  return task;
}

Address Counted::new_task(const std::u32string& name) {
  const Address task = process.memory->allocate(object_size);
  Machine::create(process, task, Machine::coroutine(process, name));
  return task;
}

Address Counted::wrapper(Address task) {
  const Address address = process.memory->allocate(object_size);
  process.memory->put(address + task_offset, task);
  return address;
}

Address Counted::function(const std::u32string& name) { return process.python.code({name, name, U"/srv/cb.py", 3}); }

Address Counted::run_python(const std::vector<Address>& codes, bool apart) {
  Address frame = process.python.has_entry_frames() ? process.python.entry_frame(0) : 0;
  Address next_to = data_stack;
  for (const Address code : codes) {
    frame = process.python.frame(code, 8, frame, apart ? 0 : next_to);
    next_to += frame_stride;
  }
  process.python.run(process.thread, frame);
  return frame;
}

std::uint32_t Counted::site(const std::u32string& name) {
  for (const Site& site : Machine::sites()) {
    const bool outside = site.site.key.stack == AL_STACK_OUTSIDE;
    if (name.empty() ? outside : !outside && text_of(site.origin.qualname) == name) return site.id;
  }
  return 0;
}

al_site_memory& Counted::counters(std::uint32_t site) {
  return *kernel().map("site_memory").find<al_site_memory>(site);
}

Balance Counted::balance(std::uint32_t site) {
  const al_site_memory& memory = counters(site);
  return {memory.allocated_bytes - memory.freed_bytes, memory.allocated_blocks - memory.freed_blocks};
}

Balance Counted::total() {
  Balance sum;
  for (std::uint32_t id = 0; id <= al_site_ids_used; id++) {
    const Balance each = balance(id);
    sum.bytes += each.bytes;
    sum.blocks += each.blocks;
  }
  return sum;
}

std::vector<al_allocation> Counted::records() {
  std::vector<al_allocation> found;
  for (std::uint32_t i = 0; i < al_allocation_buckets; i++) {
    const auto& bucket = *kernel().map("allocations").find<al_allocation_bucket>(i);
    for (int slot = 0; slot < AL_BUCKET_SLOTS; slot++) {
      if (bucket.keys[slot] != 0) found.push_back(bucket.slots[slot]);
    }
  }
  kernel().map("crowded_out").for_each([&](void* /*key*/, void* value) {
    found.push_back(*static_cast<al_allocation*>(value));
    return 0;
  });
  return found;
}

void Counted::check_sound() {
  std::map<std::uint32_t, Balance> by_site, by_line;
  const auto add = [](Balance& balance, const al_allocation& block) {
    balance.bytes += block.size;
    balance.blocks++;
  };
  for (const al_allocation& block : records()) {
    add(by_site[block.site], block);
    add(by_line[block.line], block);
  }
  for (std::uint32_t id = 0; id <= al_site_ids_used; id++) {
    const al_site_memory& memory = counters(id);
    const Balance charged = balance(id);
    REQUIRE(Balance{charged.bytes - memory.untracked_bytes, charged.blocks - memory.untracked_blocks} == by_site[id]);
    REQUIRE(in_last_ring(memory) == by_site[id].bytes);
  }
  for (std::uint32_t i = 1; i <= al_line_ids_used; i++) {
    const al_line& line = *kernel().map("lines").find<al_line>(i);
    const Balance charged{line.allocated_bytes - line.freed_bytes, line.allocated_blocks - line.freed_blocks};
    REQUIRE(charged == by_line[i]);
  }
  REQUIRE(al_crowded_out == kernel().map("crowded_out").size());
  REQUIRE(Machine::dropped() == 0);
}

Caller::Caller(const Counted& counted, std::uint32_t tid)
    : process_(counted.process),
      tid_(tid),
      pthread_(Machine::pthread_of(tid)),
      sp_(0x7ffd00000000 + tid * 0x100000ULL) {}

void Caller::fire(int (*program)(void*), al_call function, std::initializer_list<std::uint64_t> arguments,
                  std::uint64_t result, std::uint64_t sp) const {
  constexpr std::array places{rdi, rsi, rdx};
  std::array<std::uint64_t, register_count> regs;
  regs.fill(0xbad);
  const auto* place = places.begin();
  for (const std::uint64_t argument : arguments) regs[*place++] = argument;
  regs[rax] = result;
  regs[rsp] = sp;
  al_memory_cookie cookie{Counted::index, static_cast<__u8>(function), rdi, rsi, rdx, object ? __u8{1} : __u8{0}, 0};
  if (function == AL_CALL_STEP || function == AL_CALL_STEP_LEFT) cookie.third = static_cast<__u8>(step_offset / 8);
  if (function == AL_CALL_EAGER) cookie.second = rdx;  // self, args, kwds
  const std::uint64_t before = kernel().cookie;
  std::memcpy(&kernel().cookie, &cookie, sizeof(cookie));
  run();
  program(regs.data());
  kernel().cookie = before;
}

void Caller::enter(al_call function, std::initializer_list<std::uint64_t> arguments) {
  sp_ -= frame;
  jump(function, arguments);
}

void Caller::jump(al_call function, std::initializer_list<std::uint64_t> arguments) {
  const auto program = function == AL_CALL_STEP    ? step_entered
                       : function == AL_CALL_EAGER ? eager_step_entered
                                                   : allocating;
  fire(program, function, arguments, 0xbad, sp_);
}

// The return address has been taken off the stack when a return is trapped.
void Caller::leave(al_call function, std::uint64_t result) {
  const bool step = function == AL_CALL_STEP || function == AL_CALL_EAGER;
  fire(step ? step_left : allocated, function, {}, result, sp_ + 8);
  sp_ += frame;
}

void Caller::call(al_call function, std::initializer_list<std::uint64_t> arguments, std::uint64_t result,
                  const Body& body) {
  enter(function, arguments);
  if (body) body();
  leave(function, result);
}

void Caller::pass(al_call place, std::initializer_list<std::uint64_t> registers) {
  const auto program = place == AL_CALL_FREE ? freeing : place == AL_CALL_STEP_LEFT ? step_left : passing_malloc;
  fire(program, place, registers, 0xbad, sp_);
}

}  // namespace asyncleak::fake
