// Bounds of functions from .eh_frame_hdr, the unwinder's sorted table, which strip(1) keeps.
//
// Used by image.cpp only. Knows nothing of symbols.
#pragma once

#include "elf/image.h"

#include <cstdint>
#include <optional>

namespace asyncleak::elf {

// HEADER is the address of .eh_frame_hdr (PT_GNU_EH_FRAME).
[[nodiscard]] std::optional<Range> function_by_eh_frame(const Image& image, std::uint64_t header, std::uint64_t vaddr);

}  // namespace asyncleak::elf
