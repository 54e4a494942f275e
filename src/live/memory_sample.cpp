#include "live/memory_sample.h"

namespace asyncleak::live {

std::optional<MemorySample> read_memory(const ProcessReader& reader, census::ArenaVariables& variables) {
  auto heap = reader.heap();
  heap.memory = &heap.uncached();  // torn reads are told by reading again
  const auto use = census::read_pymalloc(heap, variables);
  const std::vector<census::Range> none;
  const auto classes = census::memory_classes(heap.pid, use ? use->arenas : none);
  if (!classes) return std::nullopt;
  MemorySample memory;
  memory.c_heap_bytes = classes->c_heap;
  memory.mapped_bytes = classes->mapped;
  memory.stacks_bytes = classes->stacks;
  memory.files_bytes = classes->files;
  memory.shared_bytes = classes->shared;
  memory.swapped_bytes = classes->swapped;
  if (use) {
    memory.arenas_bytes = classes->arenas;
    memory.small_objects_bytes = use->used_bytes;
    memory.small_objects = use->blocks;
  } else {
    memory.unknown = use.error().message;
  }
  return memory;
}

}  // namespace asyncleak::live
