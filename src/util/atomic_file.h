// A file that readers see either whole or not at all: written under a temporary name in the
// same directory, flushed to disk, then renamed over the old one. Mode 0644.
//
// Used by src/cli for the metrics file, summaries and the screen's snapshots. Knows nothing of what it writes.
// The directory may be one that others write to: it is opened once for each write, names are taken in it, no link at a
// name is followed, and nothing is changed but what we made ourselves.
// The temporary name does not end in the target's suffix, so that a collector that reads
// *.prom skips it.
#pragma once

#include "util/result.h"

#include <sys/types.h>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace asyncleak {

// On failure the old file is untouched and no temporary one is left.
[[nodiscard]] Result<void> write_file_atomically(const std::string& path, std::string_view content);

// Owns a file that must not outlive the program's clean exit (stale metrics look alive).
class PublishedFile {
 public:
  explicit PublishedFile(std::string path) : path_(std::move(path)) {}
  PublishedFile(PublishedFile&& other) noexcept;
  PublishedFile& operator=(PublishedFile&&) = delete;
  ~PublishedFile();  // removes the file if it is still the one this object wrote

  // Error: besides the usual, what is there is a link, a directory, or another user's. The first write removes the
  // temporary files of predecessors that were killed.
  [[nodiscard]] Result<void> write(std::string_view content);

 private:
  std::string path_;
  std::optional<std::pair<dev_t, ino_t>> written_;
};

}  // namespace asyncleak
