// The memory of a fake process: sparse pages, some of them not present.
//
// Used by fake_kernel (bpf_probe_read_user) and fake_python (which builds objects in it). A value: fork copies it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

namespace asyncleak::fake {

class Memory {
 public:
  // SIZE fresh bytes, aligned to ALIGNMENT, filled with rubbish so that a wrong offset is seen.
  std::uint64_t allocate(std::size_t size, std::size_t alignment = 16);
  // The same at a given place.
  void map(std::uint64_t address, std::size_t size);

  void write(std::uint64_t address, const void* bytes, std::size_t size);
  template <class T>
  void put(std::uint64_t address, T value) {
    write(address, &value, sizeof(value));
  }
  [[nodiscard]] bool read(std::uint64_t address, void* to, std::size_t size) const;
  template <class T>
  [[nodiscard]] T get(std::uint64_t address) const {
    T value{};
    (void)read(address, &value, sizeof(value));
    return value;
  }

  // From now on these bytes fault, as if they lay alone on a page that is not present.
  void hide(std::uint64_t address, std::size_t size) { hidden_.emplace_back(address, address + size); }
  void show_all() { hidden_.clear(); }

 private:
  static constexpr std::size_t page_size = 4096;
  using Page = std::array<std::uint8_t, page_size>;

  std::map<std::uint64_t, Page> pages_;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> hidden_;
  std::uint64_t next_ = 0x7f5500000000;
};

}  // namespace asyncleak::fake
