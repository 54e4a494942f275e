#include "model/memory_account.h"

#include "model/memory_growth.h"
#include "util/signed_difference.h"

namespace asyncleak {
namespace {

std::uint64_t resident(const MemorySample& memory) {
  return memory.arenas_bytes.value_or(0) + memory.c_heap_bytes + memory.mapped_bytes + memory.stacks_bytes +
         memory.files_bytes + memory.shared_bytes;
}

}  // namespace

std::optional<MemoryAccounts::Moment> MemoryAccounts::moment_of(const ProcessRow& row, std::int64_t now_ns) {
  const ProcessSample& process = row.process;
  if (process.memory && process.census) {
    return Moment{process.census->taken_ns, resident(*process.memory), process.memory->small_objects_bytes,
                  *row.allocated_bytes};
  }
  if (!process.rss_bytes) return std::nullopt;
  return Moment{now_ns, *process.rss_bytes, std::nullopt, *row.allocated_bytes};
}

void MemoryAccounts::update(ProcessRow& row, std::int64_t now_ns) {
  if (!row.allocated_bytes) {
    *this = {};
    return;
  }
  const std::int64_t since_ns = row.process.allocations->since_ns;
  if (since_ns != since_ns_) *this = {};
  since_ns_ = since_ns;
  const auto moment = moment_of(row, now_ns);
  if (moment && moment->at_ns >= since_ns && (!last_ || moment->at_ns > last_->at_ns)) {
    const bool comparable =
        first_ && first_->small_objects_bytes.has_value() == moment->small_objects_bytes.has_value();
    if (!comparable) first_ = moment;
    last_ = moment;
  }
  if (!first_ || first_->at_ns == last_->at_ns) return;
  MemoryAccount& account = row.account.emplace();
  account.over_s = static_cast<double>(last_->at_ns - first_->at_ns) / 1e9;
  account.resident_bytes = signed_difference(last_->resident_bytes, first_->resident_bytes);
  account.allocated_bytes = signed_difference(last_->allocated_bytes, first_->allocated_bytes);
  account.unexplained_bytes = account.resident_bytes - account.allocated_bytes;
  if (!first_->small_objects_bytes) return;
  account.small_objects_bytes = signed_difference(*last_->small_objects_bytes, *first_->small_objects_bytes);
  // In mode all the small blocks are among those allocated.
  if (row.process.allocations->mode == MemoryMode::malloc) account.unexplained_bytes -= *account.small_objects_bytes;
}

}  // namespace asyncleak
