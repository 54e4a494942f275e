// A directory of its own for a test, removed with all that is in it.
#pragma once

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

namespace asyncleak::test {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = std::filesystem::canonical(std::filesystem::temp_directory_path()) / "asyncleak-unit-XXXXXX";
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  [[nodiscard]] const std::string& path() const { return path_; }

  // Makes a file, and the folders it is in; its path.
  [[nodiscard]] std::string file(const std::string& name, std::string_view content = {},
                                 bool executable = false) const {
    namespace fs = std::filesystem;
    const fs::path path = fs::path(path_) / name;
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << content;
    if (executable) fs::permissions(path, fs::perms::owner_all);
    return path.string();
  }
  [[nodiscard]] std::string executable(const std::string& name, std::string_view content =
                                                                    "\x7f"
                                                                    "ELF") const {
    return file(name, content, true);
  }

 private:
  std::string path_;
};

}  // namespace asyncleak::test
