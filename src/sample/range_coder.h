// Numbers in fewer bits the more they are like those before: an adaptive binary range coder.
//
// What changes in a sample is small noise, a bit or two for each number, which no compression by repetition and no code
// of whole bytes gets near. The coder is the one of LZMA (7-Zip DOC/lzma-specification.txt, Range Coder); models are
// given by the caller, the same ones in the same order to the writer and the reader. Used by the codec. Knows no
// Sample.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace asyncleak {

// How likely a 0 is, in 1/32768, learnt from the bits before: from the first ones fast, from many thoroughly.
class BitModel {
 public:
  [[nodiscard]] std::uint32_t share_of(std::uint32_t range) const { return (range >> 15) * zero_; }
  void learn(bool bit) {
    // Never 0 nor all: a shift by RATE leaves 2^RATE - 1 of either.
    const int rate = 2 + seen_ / 4;
    zero_ = static_cast<std::uint16_t>(bit ? zero_ - (zero_ >> rate) : zero_ + ((32768 - zero_) >> rate));
    if (seen_ < slowest) ++seen_;
  }

 private:
  static constexpr std::uint8_t slowest = 12;
  std::uint16_t zero_ = 16384;
  std::uint8_t seen_ = 0;
};

// Of one kind of number: how many bits it has, and the first three below its highest.
class NumberModel {
 public:
  static constexpr unsigned told_lengths = 16, modelled_bits = 3;
  BitModel& longer_than(unsigned bits) { return lengths_[bits < told_lengths ? bits : told_lengths]; }
  BitModel& next_bit(unsigned length, unsigned prefix) {
    return bits_[length < told_lengths ? length : told_lengths][prefix];
  }

 private:
  std::array<BitModel, told_lengths + 1> lengths_;
  std::array<std::array<BitModel, 1U << modelled_bits>, told_lengths + 1> bits_;
};

class RangeWriter {
 public:
  void bit(BitModel& model, bool value) {
    const std::uint32_t share = model.share_of(range_);
    if (value) {
      low_ += share;
      range_ -= share;
    } else {
      range_ = share;
    }
    model.learn(value);
    while (range_ < smallest_range) {
      range_ <<= 8;
      shift();
    }
  }
  void number(NumberModel& model, std::uint64_t value);
  // Of a difference that wraps around: -1 is as short as 1.
  void difference(NumberModel& model, std::uint64_t value) {
    number(model, value << 1 ^ (std::uint64_t{0} - (value >> 63)));
  }

  // What was written since the last time; begins anew, the models go on.
  [[nodiscard]] std::string take();

 private:
  static constexpr std::uint32_t smallest_range = 1U << 24;

  void even_bit(bool value);
  void shift();

  std::uint64_t low_ = 0;
  std::uint32_t range_ = UINT32_MAX;
  unsigned char held_ = 0;
  bool first_ = true;  // nothing is held yet
  std::uint64_t waiting_ = 0;
  std::string bytes_;
};

class RangeReader {
 public:
  explicit RangeReader(std::string_view bytes) : left_(bytes) {
    for (int i = 0; i < 4; ++i) code_ = code_ << 8 | next_byte();
  }

  // False once there was nothing left to read, or fail() was called; what is read then means nothing.
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool at_end() const { return left_.empty(); }
  void fail() { ok_ = false; }

  bool bit(BitModel& model) {
    const std::uint32_t share = model.share_of(range_);
    const bool value = code_ >= share;
    if (value) {
      code_ -= share;
      range_ -= share;
    } else {
      range_ = share;
    }
    model.learn(value);
    fill();
    return value;
  }
  std::uint64_t number(NumberModel& model);
  std::uint64_t difference(NumberModel& model) {
    const std::uint64_t coded = number(model);
    return coded >> 1 ^ (std::uint64_t{0} - (coded & 1));
  }

 private:
  static constexpr std::uint32_t smallest_range = 1U << 24;

  bool even_bit();
  void fill() {
    while (range_ < smallest_range) {
      range_ <<= 8;
      code_ = code_ << 8 | next_byte();
    }
  }
  std::uint32_t next_byte();

  std::string_view left_;
  std::uint32_t code_ = 0, range_ = UINT32_MAX;
  bool ok_ = true;
};

}  // namespace asyncleak
