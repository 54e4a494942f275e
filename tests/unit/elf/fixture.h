// Small ELF files made on the spot with the system's compiler, in a directory of their own.
// Used by the elf tests; what is built lives as long as the Workshop.
#pragma once

#include <elf.h>
#include <array>
#include <catch2/catch.hpp>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace asyncleak::elf::test {

inline std::vector<std::byte> read_all(const std::string& path) {
  std::vector<std::byte> bytes(std::filesystem::file_size(path));
  std::ifstream(path, std::ios::binary)
      .read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  return bytes;
}

inline void write_all(const std::string& path, std::span<const std::byte> bytes) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

class Workshop {
 public:
  Workshop() {
    std::string pattern = (std::filesystem::temp_directory_path() / "asyncleak-elf-XXXXXX").string();
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    directory_ = pattern;
  }
  Workshop(const Workshop&) = delete;
  Workshop& operator=(const Workshop&) = delete;
  ~Workshop() {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }

  [[nodiscard]] const std::string& directory() const { return directory_; }

  // A shell command that must succeed.
  void run(const std::string& command) const {
    INFO(command);
    REQUIRE(std::system(command.c_str()) == 0);
  }

  // cc FLAGS SOURCE (of this folder); the path of the result.
  [[nodiscard]] std::string compile(std::string_view source, std::string_view flags) {
    std::string result = directory_ + "/" + std::to_string(built_++);
    run("cc -O1 -nostdlib -fcf-protection=none -Wl,--eh-frame-hdr " + std::string(flags) + " '" TEST_DATA "/" +
        std::string(source) + "' -o " + result);
    return result;
  }

  [[nodiscard]] std::string stripped(const std::string& file) const {
    std::string result = file + ".stripped";
    run("strip --strip-all -o " + result + " " + file);
    return result;
  }

  // A stripped copy without section headers, as sstrip makes.
  [[nodiscard]] std::string sectionless(const std::string& file) const {
    auto bytes = read_all(stripped(file));
    auto* header = reinterpret_cast<Elf64_Ehdr*>(bytes.data());
    header->e_shoff = 0;
    header->e_shnum = 0;
    header->e_shstrndx = 0;
    std::string result = file + ".sectionless";
    write_all(result, bytes);
    return result;
  }

 private:
  std::string directory_;
  int built_ = 0;
};

// How a library or a program may be linked.
struct LinkMode {
  const char* name;
  const char* flags;  // for compile()
};

inline constexpr std::array<LinkMode, 6> link_modes = {{
    {"shared", "-shared -fPIC"},
    {"shared, symbol relocations", "-shared -fPIC -DVISIBLE"},
    {"shared, DT_RELR", "-shared -fPIC -Wl,-z,pack-relative-relocs"},
    {"shared, DT_HASH", "-shared -fPIC -DVISIBLE -Wl,--hash-style=sysv"},
    {"executable, fixed address", "-no-pie -fno-pie -Wl,-e,0"},
    {"executable, position-independent", "-pie -fPIE -Wl,-e,0"},
}};

}  // namespace asyncleak::elf::test
