// A small Python heap made by one layout row: one object of each kind the census reads, pointing at each other.
//
// What objects_fuzz.cpp damages. Patches are applied before the first read, or one by one while it is read.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "census/heap.h"

namespace asyncleak::fuzz {

using Address = std::uint64_t;

class FakeHeap final : public python::RemoteMemory {
 public:
  FakeHeap(const al_layout& layout, const python::ObjectLayout& objects);
  [[nodiscard]] Result<void> read(Address address, std::span<std::byte> out) const override;

  [[nodiscard]] const std::vector<Address>& objects() const { return made_; }
  // Four bytes each: which word (16 bits), what becomes of it, an argument.
  void patch(std::span<const std::uint8_t> patches);

 private:
  struct Patch {
    std::size_t word;
    std::uint8_t operation, argument;
  };
  template <class T>
  void put(Address address, T value);
  void put_byte(Address address, unsigned value) { put(address, static_cast<std::uint8_t>(value)); }
  void put_int(Address address, std::int32_t value) { put(address, value); }
  Address allocate(std::size_t bytes, std::size_t before = 0);
  Address allocate_words(const std::vector<Address>& words);
  Address object(std::string_view type, std::size_t bytes);
  Address type(std::string_view name, std::uint64_t flags, std::size_t basicsize, std::size_t itemsize = 0);
  Address class_of(std::string_view name, std::uint64_t flags, std::size_t basicsize, Address dict, Address base = 0);
  Address str(std::string_view text);
  Address tuple(const std::vector<Address>& items);
  Address keys(const std::vector<Address>& names, const std::vector<Address>& values, bool shared);
  Address dict(const std::vector<Address>& names, const std::vector<Address>& values);
  void make_types();
  void make_values();
  void make_instances();
  void make_callables();
  void make_generators();
  Address generator(std::string_view type, Address awaited);
  void make_tasks();
  void apply(const Patch& patch) const;

  al_layout layout_;
  python::ObjectLayout where_;
  Address next_;
  mutable std::vector<std::byte> bytes_;
  std::map<std::string, Address, std::less<>> types_;
  std::vector<Address> made_;
  Address text_ = 0, list_ = 0, code_ = 0, function_ = 0;
  std::vector<Patch> late_;
  mutable std::size_t reads_ = 0;
};

}  // namespace asyncleak::fuzz
