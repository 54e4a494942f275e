#include "probe/mmap_watch.h"

#include "probe/privileges.h"
#include "python/process.h"
#include "util/handle.h"

#include <linux/perf_event.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <span>

namespace asyncleak::probe {

namespace {

constexpr std::size_t ring_pages = 8;

Fd open_dummy_event(int cpu) {
  perf_event_attr attributes{};
  attributes.size = sizeof(attributes);
  attributes.type = PERF_TYPE_SOFTWARE;
  attributes.config = PERF_COUNT_SW_DUMMY;
  attributes.mmap = 1;  // executable mappings only; mmap_data would add the others
  attributes.mmap2 = 1;
  // wakeup_events counts samples only; side-band records wake by bytes (kernel/events/ring_buffer.c).
  attributes.watermark = 1;
  attributes.wakeup_watermark = 1;
  return Fd(static_cast<int>(syscall(SYS_perf_event_open, &attributes, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC)));
}

// PERF_RECORD_MMAP2 up to the file name: include/uapi/linux/perf_event.h.
struct Mmap2Record {
  perf_event_header header;
  std::uint32_t pid, tid;
  std::uint64_t address, length, page_offset;
  std::uint32_t major, minor;
  std::uint64_t inode, inode_generation;
  std::uint32_t protection, flags;
};

}  // namespace

struct MmapWatch::Ring {
  Fd fd;
  perf_event_mmap_page* control = nullptr;
  std::size_t bytes = 0;

  Ring() = default;
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  ~Ring() {
    if (control != nullptr) munmap(control, bytes);
  }

  // Copies LENGTH bytes at ring position AT, which may wrap.
  void copy(std::uint64_t at, std::span<std::byte> out) const {
    const auto* data = reinterpret_cast<const std::byte*>(control) + control->data_offset;
    for (std::size_t i = 0; i < out.size(); i++) out[i] = data[(at + i) % control->data_size];
  }
};

MmapWatch::MmapWatch(std::vector<std::unique_ptr<Ring>> rings) : rings_(std::move(rings)) {}
MmapWatch::MmapWatch(MmapWatch&&) noexcept = default;
MmapWatch::~MmapWatch() = default;

Result<MmapWatch> MmapWatch::make() {
  const RaisedPrivileges raised;
  std::vector<std::unique_ptr<Ring>> rings;
  const long cpus = sysconf(_SC_NPROCESSORS_CONF);
  for (int cpu = 0; cpu < cpus; cpu++) {
    auto ring = std::make_unique<Ring>();
    ring->fd = open_dummy_event(cpu);
    if (!ring->fd) {
      if (errno == ENODEV) continue;  // an offline CPU
      return fail(refused("watching for new mappings (perf_event_open)", errno, "CAP_SYS_ADMIN",
                          "perf events (kernel.perf_event_paranoid)"));
    }
    ring->bytes = static_cast<std::size_t>(sysconf(_SC_PAGESIZE)) * (ring_pages + 1);
    void* shared = mmap(nullptr, ring->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd.get(), 0);
    if (shared == MAP_FAILED) return fail(system_error("mapping a perf ring", errno));
    ring->control = static_cast<perf_event_mmap_page*>(shared);
    rings.push_back(std::move(ring));
  }
  return MmapWatch(std::move(rings));
}

std::vector<int> MmapWatch::fds() const {
  std::vector<int> result;
  result.reserve(rings_.size());
  for (const auto& ring : rings_) result.push_back(ring->fd.get());
  return result;
}

std::vector<MmapWatch::Mapping> MmapWatch::take() {
  std::vector<Mapping> mappings;
  for (const auto& ring : rings_) {
    const std::uint64_t head = __atomic_load_n(&ring->control->data_head, __ATOMIC_ACQUIRE);
    std::uint64_t tail = ring->control->data_tail;
    while (tail + sizeof(perf_event_header) <= head) {
      Mmap2Record record{};
      ring->copy(tail, std::as_writable_bytes(std::span(&record.header, 1)));
      if (record.header.size < sizeof(perf_event_header)) break;  // never written so by the kernel
      if (record.header.type == PERF_RECORD_MMAP2 && record.header.size > sizeof(record)) {
        ring->copy(tail, std::as_writable_bytes(std::span(&record, 1)));
        std::string path(record.header.size - sizeof(record), '\0');
        ring->copy(tail + sizeof(record), std::as_writable_bytes(std::span(path)));
        path.resize(std::strlen(path.c_str()));
        if (python::is_python_file(path) || python::is_asyncio_file(path)) {
          mappings.push_back({static_cast<pid_t>(record.pid), std::move(path)});
        }
      }
      tail += record.header.size;
    }
    __atomic_store_n(&ring->control->data_tail, head, __ATOMIC_RELEASE);
  }
  return mappings;
}

}  // namespace asyncleak::probe
