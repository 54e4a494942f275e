#include "machine.h"

#include <array>
#include <utility>

namespace asyncleak::fake {

namespace {

// struct pt_regs, arch/x86/include/asm/ptrace.h: where the calling convention has the three arguments.
constexpr std::uint16_t rdx = 96, rsi = 104, rdi = 112;
using Registers = std::array<std::uint64_t, 21>;

// The two images every process of a machine has mapped.
constexpr std::uint32_t core_index = 3, binary_index = 5;

Registers registers(Address self, Address args, Address kwds) {
  Registers regs{};
  regs[rdi / 8] = self;
  regs[rsi / 8] = args;
  regs[rdx / 8] = kwds;
  return regs;
}

}  // namespace

Machine::Machine(const python::LayoutRow& row) : row_(row) {
  kernel().reset();
  kernel().now_ns = 1000 * second;
  kernel().cookie = binary_index;
  Memory nothing;
  kernel().map("layouts").update(&core_index, &Python(row, nothing).layout(), BPF_ANY);
  al_binary binary{};
  binary.init = {rdi, rsi, rdx, 0};
  binary.dealloc = {rdi, 0, 0, 0};
  binary.core_count = 1;
  binary.cores[0] = core_index;
  binary.task_state = AL_ABSENT;
  kernel().map("binaries").update(&binary_index, &binary, BPF_ANY);
}

std::uint32_t Machine::binary() { return binary_index; }
al_binary& Machine::image() { return *kernel().map("binaries").find<al_binary>(std::uint32_t{binary_index}); }
std::uint32_t Machine::core() { return core_index; }

Process& Machine::start(std::uint32_t tgid) {
  auto memory = std::make_shared<Memory>();
  Python python(row_, *memory);
  Process& process =
      processes_.insert_or_assign(tgid, Process{tgid, pthread_of(tgid), memory, python, 0, 0, 0, 0, 0}).first->second;
  process.interpreter = process.python.add_interpreter();
  process.thread = process.python.add_thread(process.interpreter, process.pthread);
  process.main_code = process.python.code({U"main", U"main", U"/srv/main.py", 1, "\x01"});
  process.serve_code = process.python.code({U"serve", U"Server.serve", U"/srv/server.py", 20, "\x02"});
  Address frame = process.python.has_entry_frames() ? process.python.entry_frame(0) : 0;
  frame = process.python.frame(process.main_code, 40, frame);
  process.serve_frame = process.python.frame(process.serve_code, 60, frame);
  process.python.run(process.thread, process.serve_frame);
  run(process);
  return process;
}

void Machine::run(const Process& process, std::uint32_t tid, std::uint64_t pthread) {
  kernel().current = {process.tgid, tid, pthread, process.memory.get()};
}

Address Machine::coroutine(Process& process, const std::u32string& qualname) {
  CodeText text;
  text.qualname = qualname;
  return process.python.coroutine(process.python.code(text), process.python.str(qualname));
}

void Machine::create(Process& process, Address task, Address coroutine) {
  run(process);
  init(task, process.python.tuple({coroutine}), 0);
}

void Machine::init(Address task, Address args, Address kwds) {
  auto regs = registers(task, args, kwds);
  task_init(regs.data());
}

void Machine::destroy(Address task) {
  auto regs = registers(task, 0, 0);
  task_dealloc(regs.data());
}

void Machine::warn_unawaited(Process& process, Address object, std::uint16_t offset) {
  run(process);
  Registers regs;
  regs.fill(0x1234);
  regs[offset / 8] = object;
  kernel().cookie = core_index;
  unawaited_warning(regs.data());
  kernel().cookie = binary_index;
}

namespace {

// Raw tracepoint arguments: the task_struct pointers of include/trace/events/sched.h.
void fire(int (*program)(bpf_raw_tracepoint_args*), const host_thread& first, const host_thread& second_task) {
  alignas(bpf_raw_tracepoint_args) std::array<std::uint64_t, 2> arguments{
      reinterpret_cast<std::uint64_t>(host_task(1, &first)),
      reinterpret_cast<std::uint64_t>(host_task(2, &second_task))};
  program(reinterpret_cast<bpf_raw_tracepoint_args*>(arguments.data()));
}

host_thread thread_of(const Process& process) { return {static_cast<int>(process.tgid), 1, process.memory.get(), 0}; }

}  // namespace

Process& Machine::fork(Process& parent, std::uint32_t child_tgid, bool shared) {
  Process child = parent;
  child.tgid = child_tgid;
  if (!shared) child.memory = std::make_shared<Memory>(*parent.memory);
  child.python.use(*child.memory);
  Process& placed = processes_.insert_or_assign(child_tgid, std::move(child)).first->second;
  fire(process_fork, thread_of(parent), thread_of(placed));
  return placed;
}

void Machine::start_thread(const Process& process) { fire(process_fork, thread_of(process), thread_of(process)); }

void Machine::exit(const Process& process, int threads_left) {
  host_thread thread = thread_of(process);
  thread.live_threads = threads_left;
  fire(process_exit, thread, thread);
}

void Machine::exec(const Process& process) { fire(process_exec, thread_of(process), thread_of(process)); }

void Machine::memory_exec(const Process& process) { fire(::memory_exec, thread_of(process), thread_of(process)); }

void Machine::memory_thread_exit(const Process& process) {
  fire(::memory_thread_exit, thread_of(process), thread_of(process));
}

const al_process* Machine::process(std::uint32_t tgid) { return kernel().map("processes").find<al_process>(tgid); }

std::vector<Site> Machine::sites(std::uint32_t process) {
  std::vector<Site> found;
  for (std::uint32_t id = 1; id <= al_site_ids_used; id++) {
    const auto* site = kernel().map("sites").find<al_site>(id);
    if (site == nullptr || site->state != AL_SITE_READY || (process != 0 && site->key.process != process)) continue;
    const auto* origin = kernel().map("origins").find<al_origin>(id);
    found.push_back({id, *site, origin != nullptr ? *origin : al_origin{}});
  }
  return found;
}

Site Machine::only_site() {
  const auto found = sites();
  REQUIRE(found.size() == 1);
  return found.front();
}

const al_code* Machine::code(const Process& process, Address code, std::uint64_t print) {
  const auto* known = Machine::process(process.tgid);
  REQUIRE(known != nullptr);
  return kernel().map("codes").find<al_code>(al_code_key{code, print, known->id, 0});
}

std::uint64_t Machine::dropped() {
  std::uint64_t sum = 0;
  for (int which = AL_FIRST_DROP; which < AL_COUNTERS; which++) sum += counted(static_cast<al_counter>(which));
  return sum;
}

}  // namespace asyncleak::fake
