// A file that readers see either whole or not at all: written under a temporary name in the
// same directory, flushed to disk, then renamed over the old one. Mode 0644.
//
// Used by src/cli for the metrics file and the screen's snapshots. Knows nothing of what it writes.
// The temporary name does not end in the target's suffix, so that a collector that reads
// *.prom skips it.
#pragma once

#include "util/result.h"

#include <string>
#include <string_view>

namespace asyncleak {

// On failure the old file is untouched and no temporary one is left.
[[nodiscard]] Result<void> write_file_atomically(const std::string& path, std::string_view content);

// Owns a file that must not outlive the program's clean exit (stale metrics look alive).
class PublishedFile {
 public:
  explicit PublishedFile(std::string path) : path_(std::move(path)) {}
  PublishedFile(PublishedFile&& other) noexcept;
  PublishedFile& operator=(PublishedFile&&) = delete;
  ~PublishedFile();  // removes the file if this object wrote it

  [[nodiscard]] Result<void> write(std::string_view content);

 private:
  std::string path_;
  bool written_ = false;
};

}  // namespace asyncleak
