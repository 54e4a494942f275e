#include "sample/range_coder.h"

namespace asyncleak {

void RangeWriter::number(NumberModel& model, std::uint64_t value) {
  const auto length = static_cast<unsigned>(std::bit_width(value));
  for (unsigned i = 0; i < length; ++i) bit(model.longer_than(i), true);
  if (length < 64) bit(model.longer_than(length), false);
  unsigned prefix = 1;
  for (unsigned i = 1; i < length; ++i) {
    const bool one = (value >> (length - 1 - i) & 1) != 0;
    if (i <= NumberModel::modelled_bits) {
      bit(model.next_bit(length, prefix), one);
      prefix = prefix << 1 | (one ? 1U : 0U);
    } else {
      even_bit(one);
    }
  }
}

std::string RangeWriter::take() {
  for (int i = 0; i < 5; ++i) shift();
  std::string bytes = std::move(bytes_);
  *this = RangeWriter();
  return bytes;
}

void RangeWriter::even_bit(bool value) {
  range_ >>= 1;
  if (value) low_ += range_;
  while (range_ < smallest_range) {
    range_ <<= 8;
    shift();
  }
}

// The highest byte of LOW_ goes out once no carry can change it.
void RangeWriter::shift() {
  if (low_ < 0xff000000U || low_ > UINT32_MAX) {
    const auto carry = static_cast<unsigned char>(low_ >> 32);
    if (!first_) bytes_ += static_cast<char>(held_ + carry);
    first_ = false;
    for (; waiting_ > 0; --waiting_) bytes_ += static_cast<char>(0xff + carry);
    held_ = static_cast<unsigned char>(low_ >> 24);
  } else {
    ++waiting_;
  }
  low_ = (low_ & 0x00ffffffU) << 8;
}

std::uint64_t RangeReader::number(NumberModel& model) {
  unsigned length = 0;
  while (length < 64 && bit(model.longer_than(length))) ++length;
  if (length == 0) return 0;
  std::uint64_t value = 1;
  unsigned prefix = 1;
  for (unsigned i = 1; i < length; ++i) {
    bool one = false;
    if (i <= NumberModel::modelled_bits) {
      one = bit(model.next_bit(length, prefix));
      prefix = prefix << 1 | (one ? 1U : 0U);
    } else {
      one = even_bit();
    }
    value = value << 1 | (one ? 1U : 0U);
  }
  return value;
}

bool RangeReader::even_bit() {
  range_ >>= 1;
  const bool value = code_ >= range_;
  if (value) code_ -= range_;
  fill();
  return value;
}

std::uint32_t RangeReader::next_byte() {
  if (left_.empty()) {
    ok_ = false;
    return 0;
  }
  const auto byte = static_cast<unsigned char>(left_.front());
  left_.remove_prefix(1);
  return byte;
}

}  // namespace asyncleak
