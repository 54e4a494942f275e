#include "probe/allocation_reader.h"

#include "probe/cohorts.h"

#include <algorithm>

namespace asyncleak::probe {

namespace {

std::uint64_t left_of(std::uint64_t came, std::uint64_t left) { return came > left ? came - left : 0; }

// Several instructions of one line are one line.
void add_line(std::vector<AllocationLine>& lines, AllocationLine line) {
  const auto same = std::ranges::find_if(lines, [&](const AllocationLine& each) {
    return each.line == line.line && each.function == line.function && each.file == line.file;
  });
  if (same == lines.end()) {
    lines.push_back(std::move(line));
    return;
  }
  same->bytes += line.bytes;
  same->blocks += line.blocks;
  same->allocated_bytes += line.allocated_bytes;
}

}  // namespace

AllocationReader::AllocationReader(const MemorySession* memory, const Identities& identities, std::int64_t now_ns)
    : memory_(memory), identities_(identities), now_ns_(now_ns) {
  if (memory_ == nullptr) return;
  for (const auto& counted : memory_->counted()) counted_.emplace(counted.process, counted);
  read_lines();
}

void AllocationReader::read_lines() {
  for (std::uint32_t index = 1; index <= memory_->lines_used(); index++) {
    const al_line line = memory_->line(index);
    const auto process = counted_.find(line.process);
    if (line.ready == 0 || process == counted_.end()) continue;
    const auto pid = static_cast<pid_t>(process->second.tgid);
    const bool placed = line.key.offset != AL_NO_OFFSET;
    auto frame = identities_.frame({line.key.code, line.key.print, line.process, 0},
                                   placed ? std::optional(line.key.offset) : std::nullopt, process->second.core, pid);
    if (!placed) frame.line.reset();
    add_line(lines_[line.key.site], {std::move(frame.function), std::move(frame.file), frame.line,
                                     left_of(line.allocated_bytes, line.freed_bytes),
                                     left_of(line.allocated_blocks, line.freed_blocks), line.allocated_bytes});
  }
  for (auto& [site, lines] : lines_) {
    std::ranges::stable_sort(lines, std::ranges::greater{}, &AllocationLine::bytes);
  }
}

std::optional<SiteAllocations> AllocationReader::of(std::uint32_t id, const al_site& site) const {
  const auto process = counted_.find(site.key.process);
  if (process == counted_.end()) return std::nullopt;
  const al_site_memory wire = memory_->site(id);
  SiteAllocations counted;
  counted.allocated_bytes = wire.allocated_bytes;
  counted.allocated_blocks = wire.allocated_blocks;
  counted.freed_bytes = wire.freed_bytes;
  counted.freed_blocks = wire.freed_blocks;
  counted.untracked_bytes = wire.untracked_bytes;
  counted.untracked_blocks = wire.untracked_blocks;
  counted.bytes = left_of(wire.allocated_bytes, wire.freed_bytes + wire.untracked_bytes);
  counted.blocks = left_of(wire.allocated_blocks, wire.freed_blocks + wire.untracked_blocks);
  counted.cohorts = disjoint_cohorts(wire, now_ns_, 0, counted.bytes);
  if (const auto lines = lines_.find(id); lines != lines_.end()) counted.lines = lines->second;
  return counted;
}

}  // namespace asyncleak::probe
