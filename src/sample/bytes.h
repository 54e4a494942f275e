// Numbers as bytes: small ones short. Hostile bytes read as an end, never beyond it.
//
// Used by the codec and the records of a recording. Knows no Sample.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace asyncleak {

class ByteWriter {
 public:
  // Seven bits a byte, least significant first.
  void number(std::uint64_t value) {
    while (value >= 0x80) {
      bytes_.push_back(static_cast<char>(value | 0x80));
      value >>= 7;
    }
    bytes_.push_back(static_cast<char>(value));
  }
  // Of a difference that wraps around: -1 is as short as 1.
  void difference(std::uint64_t value) { number(value << 1 ^ (std::uint64_t{0} - (value >> 63))); }
  void text(std::string_view text) {
    number(text.size());
    bytes_.append(text);
  }
  template <class Number>
  void fixed(Number value) {
    bytes_.append(reinterpret_cast<const char*>(&value), sizeof(value));
  }

  [[nodiscard]] const std::string& bytes() const { return bytes_; }
  void clear() { bytes_.clear(); }

 private:
  std::string bytes_;
};

class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : left_(bytes) {}

  // False once something was not there, or not as a writer writes it; what is read then is 0 or empty.
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] std::size_t left() const { return left_.size(); }
  void fail() {
    ok_ = false;
    left_ = {};
  }

  std::uint64_t number() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      if (left_.empty()) break;
      const auto byte = static_cast<unsigned char>(left_.front());
      left_.remove_prefix(1);
      value |= std::uint64_t{byte & 0x7fU} << shift;
      if (byte < 0x80) return value;
    }
    fail();
    return 0;
  }
  std::uint64_t difference() {
    const std::uint64_t coded = number();
    return coded >> 1 ^ (std::uint64_t{0} - (coded & 1));
  }
  std::string_view text() {
    const std::uint64_t size = number();
    if (size > left_.size()) {
      fail();
      return {};
    }
    const std::string_view text = left_.substr(0, size);
    left_.remove_prefix(size);
    return text;
  }
  template <class Number>
  Number fixed() {
    Number value{};
    if (left_.size() < sizeof(value)) {
      fail();
      return value;
    }
    std::memcpy(&value, left_.data(), sizeof(value));
    left_.remove_prefix(sizeof(value));
    return value;
  }

 private:
  std::string_view left_;
  bool ok_ = true;
};

}  // namespace asyncleak
