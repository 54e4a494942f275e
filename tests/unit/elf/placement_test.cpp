#include "elf/placement.h"

#include "elf/symbols.h"
#include "fixture.h"

#include <sys/user.h>
#include <cstddef>
#include <map>

namespace asyncleak::elf {
namespace {

using Registers = std::vector<Register>;

struct Case {
  const char* function;
  Registers wanted;
  std::uint32_t distance;
  const char* instruction;  // nullptr: not compared
  Registers arguments;
  const char* reason;  // how it starts; nullptr: emulated
};

constexpr auto rdi = Register::rdi;
constexpr auto rsi = Register::rsi;
constexpr auto rdx = Register::rdx;

const std::vector<Case> cases = {
    {"push_first", {rdi}, 0, "push rbx", {rdi}, nullptr},
    {"push_first", {}, 0, "push rbx", {}, nullptr},
    {"endbr_then_push", {rdi, rsi, rdx}, 4, "push r15", {rdi, rsi, rdx}, nullptr},
    {"alias_then_push", {rdi, rsi}, 5, "push rbp", {Register::rbx, rsi}, nullptr},
    {"alias_of_alias", {rdi}, 10, "push rbp", {Register::r10}, nullptr},
    {"two_arguments", {rdi, rsi}, 5, "push rbp", {rdi, Register::r12}, nullptr},
    {"argument_lost", {rdi}, 0, "xor edi, edi", {rdi}, "ret at +0x3 comes before any emulated instruction with the"},
    {"argument_lost", {rsi}, 2, "push rbp", {rsi}, nullptr},
    {"low_byte_lost", {rdi}, 0, nullptr, {rdi}, "ret at +0x4"},
    {"cmov_lost", {rdi}, 0, nullptr, {rdi}, "ret at +0x5"},
    {"implicit_write_lost", {rdx}, 0, nullptr, {rdx}, "ret at +0x4"},
    {"conditional_jump", {rdi, rsi}, 3, nullptr, {rdi, rsi}, nullptr},
    {"call_as_place", {rdi}, 4, nullptr, {rdi}, nullptr},
    {"tail_jump", {rdi}, 3, nullptr, {rdi}, nullptr},
    {"one_byte_nop", {rdi}, 3, "nop", {rdi}, nullptr},
    {"long_nop_then_push", {rdi}, 5, "push rbx", {rdi}, nullptr},
    {"pause_then_push", {rdi}, 2, "push rbx", {rdi}, nullptr},
    {"push_immediate_then_push", {rdi}, 2, "push rbx", {rdi}, nullptr},
    {"wide_push_then_push", {rdi}, 2, "push rbx", {rdi}, nullptr},
    {"hinted_jump", {rdi}, 0, "test rdi, rdi", {rdi}, "jz 0x"},
    {"loop_into_range", {rdi}, 0, "sub rsp, 0x08", {rdi}, "+0x4 may be reached again: short branch at 0x"},
    {"far_loop_into_range", {rdi}, 0, "sub rsp, 0x08", {rdi}, "+0x4 may be reached again: near branch at 0x"},
    {"entered_from_elsewhere", {rdi}, 0, "sub rsp, 0x08", {rdi}, "+0x4 may be reached again: near branch at 0x"},
    {"loop_to_entry", {rdi}, 3, nullptr, {rdi}, nullptr},
    {"return_first", {rdi}, 0, "ret", {rdi}, "ret at +0x0 comes before any emulated instruction"},
    {"indirect_jump", {rdi}, 0, nullptr, {rdi}, "jmp rax at +0x3"},
    {"undecodable", {rdi}, 0, nullptr, {rdi}, "undecodable instruction at +0x0"},
    {"long_without_place", {rdi}, 0, nullptr, {rdi}, "no emulated instruction in the first 256 bytes"},
};

TEST_CASE("each function gets the cheapest place every call passes once with its arguments at hand") {
  test::Workshop workshop;
  const std::string file = workshop.compile("functions.S", "-shared -Wl,-Bsymbolic");
  const auto image = Image::open(file);
  REQUIRE(image);
  const auto symbols = load_symbols(*image, file);
  REQUIRE(symbols);
  for (const Case& expected : cases) {
    INFO(expected.function);
    const auto entry = symbols->find(expected.function);
    REQUIRE(entry);
    const auto place = place_probe(*image, *entry, expected.wanted);
    if (!place) FAIL(place.error().message);
    INFO(place->instruction << " / " << place->reason);
    CHECK(place->distance == expected.distance);
    CHECK(place->vaddr == *entry + expected.distance);
    CHECK(place->file_offset == image->file_offset(place->vaddr));
    CHECK(place->emulated == (expected.reason == nullptr));
    CHECK_THAT(place->reason, Catch::StartsWith(expected.reason == nullptr ? "" : expected.reason));
    CHECK(place->reason.empty() == place->emulated);
    if (expected.instruction != nullptr) CHECK(place->instruction == expected.instruction);
    CHECK(place->arguments == expected.arguments);
    CHECK(verify_placement(*image, *place));
  }
}

TEST_CASE("only the start of a function may be probed") {
  test::Workshop workshop;
  const std::string file = workshop.compile("functions.S", "-shared");
  const auto image = Image::open(file);
  REQUIRE(image);
  const auto entry = load_symbols(*image, file)->find("endbr_then_push");
  REQUIRE(entry);
  const Registers wanted{rdi};
  const auto inside = place_probe(*image, *entry + 1, wanted);
  REQUIRE_FALSE(inside);
  CHECK_THAT(inside.error().message, Catch::Contains("is inside the function at"));
  CHECK_FALSE(place_probe(*image, 0, wanted));

  const auto unbounded = Image::open(workshop.compile("functions.S", "-shared -Wl,--no-eh-frame-hdr"));
  REQUIRE(unbounded);
  const auto refused = place_probe(*unbounded, *entry, wanted);
  REQUIRE_FALSE(refused);
  CHECK_THAT(refused.error().message, Catch::Contains("by .eh_frame_hdr"));
}

TEST_CASE("a placement is good for the very file it was made from") {
  test::Workshop workshop;
  const std::string file = workshop.compile("functions.S", "-shared");
  const auto image = Image::open(file);
  REQUIRE(image);
  const auto entry = load_symbols(*image, file)->find("endbr_then_push");
  REQUIRE(entry);
  const auto place = place_probe(*image, *entry, Registers{rdi});
  REQUIRE(place);
  CHECK(verify_placement(*image, *place));
  SECTION("other code at the place") {
    auto bytes = test::read_all(file);
    bytes[place->file_offset] ^= std::byte{1};
    const auto other = Image::from_bytes(bytes);
    REQUIRE(other);
    CHECK_FALSE(verify_placement(*other, *place));
  }
  SECTION("another function boundary") {
    auto moved = *place;
    moved.distance += 1;
    CHECK_FALSE(verify_placement(*image, moved));
  }
  SECTION("another file offset") {
    auto moved = *place;
    moved.file_offset += 1;
    CHECK_FALSE(verify_placement(*image, moved));
  }
}

TEST_CASE("registers are where struct pt_regs has them") {
  // user_regs_struct is the same layout, as user space is given it (ptrace.h of both).
  const std::map<Register, std::size_t> expected = {
      {Register::rax, offsetof(user_regs_struct, rax)}, {Register::rcx, offsetof(user_regs_struct, rcx)},
      {Register::rdx, offsetof(user_regs_struct, rdx)}, {Register::rbx, offsetof(user_regs_struct, rbx)},
      {Register::rsp, offsetof(user_regs_struct, rsp)}, {Register::rbp, offsetof(user_regs_struct, rbp)},
      {Register::rsi, offsetof(user_regs_struct, rsi)}, {Register::rdi, offsetof(user_regs_struct, rdi)},
      {Register::r8, offsetof(user_regs_struct, r8)},   {Register::r9, offsetof(user_regs_struct, r9)},
      {Register::r10, offsetof(user_regs_struct, r10)}, {Register::r11, offsetof(user_regs_struct, r11)},
      {Register::r12, offsetof(user_regs_struct, r12)}, {Register::r13, offsetof(user_regs_struct, r13)},
      {Register::r14, offsetof(user_regs_struct, r14)}, {Register::r15, offsetof(user_regs_struct, r15)}};
  CHECK(expected.size() == 16);
  for (const auto& [reg, offset] : expected) CHECK(pt_regs_offset(reg) == offset);
}

}  // namespace
}  // namespace asyncleak::elf
