#include "model/user_frame.h"

#include <algorithm>

namespace asyncleak {

bool is_asyncio_file(std::string_view file) {
  if (file.starts_with("<frozen ")) return true;
  // PyInstaller strips the prefix of the library.
  if (file.starts_with("asyncio/")) return true;
  constexpr std::string_view directory = "/asyncio/";
  const std::size_t at = file.rfind(directory);
  if (at == std::string_view::npos) return false;
  const std::string_view parent_path = file.substr(0, at);
  const std::size_t slash = parent_path.rfind('/');
  const std::string_view parent = slash == std::string_view::npos ? parent_path : parent_path.substr(slash + 1);
  // lib/python3.11, python3.13t, python311.zip; Lib in CPython's own source tree.
  const bool versioned = parent.starts_with("python") && parent.size() > 7 && parent[6] == '3';
  return versioned || parent == "Lib";
}

const Frame* user_frame(const SiteIdentity& identity) {
  const auto& frames = identity.created_at;
  if (frames.empty()) return nullptr;
  const auto own = std::find_if(frames.begin(), frames.end(), [](const Frame& f) { return !is_asyncio_file(f.file); });
  return own == frames.end() ? &frames.front() : &*own;
}

}  // namespace asyncleak
