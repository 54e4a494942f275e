// An image opened once: what is read, checked and attached to is one inode, whatever happens to the path meanwhile.
//
// Used by catalog.cpp, src/live (memory_modes.cpp) and `doctor`. Knows files, not what is in them.
#pragma once

#include "elf/image.h"
#include "python/process.h"
#include "util/handle.h"
#include "util/result.h"

#include <compare>
#include <cstdint>
#include <string>

namespace asyncleak::probe {

// Tells an image from every other one, also after an upgrade in place.
struct ImageKey {
  python::FileId file;
  std::int64_t modified_ns = 0;
  std::int64_t size = 0;
  auto operator<=>(const ImageKey&) const = default;  // NOLINT(modernize-use-nullptr): clang-tidy 14 on the literal 0
};

struct OpenImage {
  Fd fd;
  ImageKey key;
  [[nodiscard]] std::string path() const;  // of the inode, as long as this object lives
};

[[nodiscard]] Result<OpenImage> open_image(const python::MappedFile& file);
// An error names FILE.
[[nodiscard]] Result<elf::Image> read_image(const OpenImage& opened, const python::MappedFile& file);
[[nodiscard]] Result<elf::Image> read_image(const python::MappedFile& file);

}  // namespace asyncleak::probe
