#include "elf/unawaited_warnings.h"

#include "elf/instruction.h"
#include "elf/reads.h"

#include <algorithm>
#include <array>
#include <set>

namespace asyncleak::elf {
namespace {

constexpr std::string_view attribute = "_warn_unawaited_coroutine";

// Static str objects lie side by side; who names so many of one's neighbours is not somebody who
// warns but _PyUnicode_InitStaticStrings(), which interns them all (3.11+).
constexpr std::uint64_t neighbourhood = 1024;
constexpr std::size_t most_neighbours = 8;

// The last four bytes of an instruction can be an operand: at least one byte comes before them.
constexpr std::uint64_t operand_bytes = 4;

constexpr std::size_t most_names = 8;  // an interpreter has two

// What one warning must name: the static str object (3.11+), or the _Py_Identifier (before).
std::vector<std::uint64_t> names_of(const Image& image, std::uint64_t str_ascii_data) {
  std::vector<std::uint64_t> names;
  for (const std::uint64_t text : image.find_string(attribute)) {
    const auto segments = image.segments();
    const bool writable = std::any_of(segments.begin(), segments.end(), [&](const Segment& segment) {
      return segment.writable && text - segment.vaddr < segment.file_size;
    });
    if (writable) names.push_back(text - str_ascii_data);
    for (const std::uint64_t slot : image.slots_holding(text)) {
      // Include/cpython/object.h: {next, string, object} in 3.8 and 3.9, {string, index = -1} in 3.10.
      const bool has_index = image.u64(slot + sizeof(std::uint64_t)) == ~std::uint64_t{0};
      names.push_back(has_index ? slot : slot - sizeof(std::uint64_t));
    }
  }
  return names;
}

class Search {
 public:
  Search(const Image& image, std::uint64_t name)
      : image_(image), name_(name), base_(image.position_independent() ? runtime_of(image) : 0) {}

  [[nodiscard]] std::vector<std::uint64_t> places() const {
    std::set<std::uint64_t> places;
    std::set<std::uint64_t> functions;
    for (const Segment& segment : image_.segments()) {
      if (!segment.executable) continue;
      const auto code = image_.file().subspan(segment.file_offset, segment.file_size);
      for (std::size_t at = 0; at + operand_bytes <= code.size(); ++at) {
        if (!names(code.subspan(at), segment.vaddr + at + operand_bytes)) continue;
        const auto function = image_.function_at(segment.vaddr + at);
        if (!function || !functions.insert(function->begin).second) continue;
        places.merge(places_in(*function));
      }
    }
    return {places.begin(), places.end()};
  }

 private:
  static std::uint64_t runtime_of(const Image& image) { return image.dynamic_symbol("_PyRuntime").value_or(0); }

  // Addresses the operand of an instruction that ends at END can stand for: relative to that end; or, at a
  // fixed address, itself; or, in a library, relative to _PyRuntime, whose address comes from the GOT.
  [[nodiscard]] std::array<std::uint64_t, 2> meanings(std::span<const std::byte> operand, std::uint64_t end) const {
    const auto value = static_cast<std::uint64_t>(std::int64_t{*read_at<std::int32_t>(operand, 0)});
    return {end + value, base_ + value};
  }

  [[nodiscard]] bool names(std::span<const std::byte> operand, std::uint64_t end) const {
    const auto meant = meanings(operand, end);
    return std::find(meant.begin(), meant.end(), name_) != meant.end();
  }

  // By decoding from the entry: a probe between two instructions would corrupt the process.
  [[nodiscard]] std::set<std::uint64_t> places_in(const Range& function) const {
    const Decoder decoder;
    std::set<std::uint64_t> places;
    std::set<std::uint64_t> neighbours;
    for (std::uint64_t at = function.begin; at < function.end;) {
      const auto code = up_to(image_, at, function.end - at);
      const auto instruction = decoder.decode(code);
      if (!instruction) return {};
      const std::uint64_t end = at + instruction->length;
      if (instruction->length > operand_bytes && !instruction->control_flow) {
        const auto operand = code.subspan(instruction->length - operand_bytes, operand_bytes);
        if (names(operand, end)) places.insert(at);
        for (const std::uint64_t meant : meanings(operand, end)) {
          if (meant - (name_ - neighbourhood) < 2 * neighbourhood) neighbours.insert(meant);
        }
      }
      at = end;
    }
    return neighbours.size() > most_neighbours ? std::set<std::uint64_t>{} : places;
  }

  const Image& image_;
  std::uint64_t name_;
  std::uint64_t base_;
};

}  // namespace

Result<std::vector<Placement>> find_unawaited_warnings(const Image& core, std::uint64_t str_ascii_data) {
  std::vector<Placement> found;
  auto names = names_of(core, str_ascii_data);
  names.resize(std::min(names.size(), most_names));
  for (const std::uint64_t name : names) {
    for (const std::uint64_t place : Search(core, name).places()) {
      auto placement = place_at(core, place);
      if (!placement) return fail(placement.error());
      found.push_back(std::move(*placement));
    }
  }
  if (found.empty())
    return fail("no code names '" + std::string(attribute) + "': never-awaited coroutines are not counted");
  return found;
}

}  // namespace asyncleak::elf
