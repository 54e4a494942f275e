// Functions an image gives to others and takes from others, by name (.dynsym, which strip(1) keeps).
//
// Used by c_allocator.cpp and src/python (malloc_provider). Reads program headers only, no sections.
#pragma once

#include "elf/image.h"

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace asyncleak::elf {

// Where the image's own function of that name begins. None: it is imported, absent, data, or chosen by a resolver at
// load time (STT_GNU_IFUNC: the symbol is the resolver).
[[nodiscard]] std::optional<std::uint64_t> exported_function(const Image& image, std::string_view name);

// The words into which the loader puts the address of a function of that name, whoever provides it. Those that are
// filled when the image is loaded come before those that may wait for the first call (R_X86_64_JUMP_SLOT).
[[nodiscard]] std::vector<std::uint64_t> import_slots(const Image& image, std::string_view name);

}  // namespace asyncleak::elf
