#include "elf/instruction.h"

#include <Zydis/Zydis.h>
#include <array>

namespace asyncleak::elf {
namespace {

// What branch_setup_xol_ops() and push_setup_xol_ops() in arch/x86/kernel/uprobes.c take, in the
// spelling that all of 5.15 to 6.18 take. Prefixed forms are left out: 66 is refused on branches,
// segment overrides (branch hints) are refused everywhere, a push may have REX.B alone. So are
// the multi-byte nops, which only newer kernels emulate.
bool is_emulated(std::span<const std::byte> code, std::uint8_t length) {
  const auto byte = [&](std::size_t i) { return std::to_integer<unsigned>(code[i]); };
  const unsigned first = byte(0);
  const bool push = first >= 0x50 && first <= 0x57;
  const bool jcc8 = first >= 0x70 && first <= 0x7f;
  if (length == 1) return push || first == 0x90;
  if (length == 2) {
    return jcc8 || first == 0xeb || (first == 0x41 && byte(1) >= 0x50 && byte(1) <= 0x57);
  }
  if (length == 5) return first == 0xe8 || first == 0xe9;
  return length == 6 && first == 0x0f && byte(1) >= 0x80 && byte(1) <= 0x8f;
}

bool is_control_flow(const ZydisDecodedInstruction& instruction) {
  switch (instruction.meta.category) {
    case ZYDIS_CATEGORY_CALL:
    case ZYDIS_CATEGORY_COND_BR:
    case ZYDIS_CATEGORY_UNCOND_BR:
    case ZYDIS_CATEGORY_RET:
    case ZYDIS_CATEGORY_INTERRUPT:
    case ZYDIS_CATEGORY_SYSCALL:
    case ZYDIS_CATEGORY_SYSRET:
    case ZYDIS_CATEGORY_SYSTEM:
      return true;
    default:
      break;
  }
  switch (instruction.mnemonic) {
    case ZYDIS_MNEMONIC_UD0:
    case ZYDIS_MNEMONIC_UD1:
    case ZYDIS_MNEMONIC_UD2:
    case ZYDIS_MNEMONIC_XBEGIN:
      return true;
    default:
      return false;
  }
}

std::optional<Register> general_register(ZydisRegister reg) {
  const ZydisRegister whole = ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg);
  if (whole < ZYDIS_REGISTER_RAX || whole > ZYDIS_REGISTER_R15) return std::nullopt;
  // Both are in the order of the hardware encoding.
  return static_cast<Register>(whole - ZYDIS_REGISTER_RAX);
}

std::uint16_t written_by(std::span<const ZydisDecodedOperand> operands) {
  std::uint16_t written = 0;
  for (const ZydisDecodedOperand& operand : operands) {
    // Includes writes that happen only under a condition (cmov).
    if (operand.type != ZYDIS_OPERAND_TYPE_REGISTER || (operand.actions & ZYDIS_OPERAND_ACTION_MASK_WRITE) == 0) {
      continue;
    }
    if (const auto reg = general_register(operand.reg.value)) {
      written = static_cast<std::uint16_t>(written | mask_of(*reg));
    }
  }
  return written;
}

std::optional<RegisterCopy> copy_by(const ZydisDecodedInstruction& instruction,
                                    std::span<const ZydisDecodedOperand> operands) {
  if (instruction.mnemonic != ZYDIS_MNEMONIC_MOV || instruction.operand_width != 64) return std::nullopt;
  if (operands[0].type != ZYDIS_OPERAND_TYPE_REGISTER || operands[1].type != ZYDIS_OPERAND_TYPE_REGISTER) {
    return std::nullopt;
  }
  const auto to = general_register(operands[0].reg.value);
  const auto from = general_register(operands[1].reg.value);
  if (!to || !from) return std::nullopt;
  return RegisterCopy{*from, *to};
}

std::optional<MemoryRead> read_by(std::span<const ZydisDecodedOperand> operands) {
  for (const ZydisDecodedOperand& operand : operands) {
    // An address that is only computed (lea) has another memory type.
    if (operand.type != ZYDIS_OPERAND_TYPE_MEMORY || operand.mem.type != ZYDIS_MEMOP_TYPE_MEM) continue;
    if ((operand.actions & ZYDIS_OPERAND_ACTION_MASK_READ) == 0 || operand.mem.index != ZYDIS_REGISTER_NONE) continue;
    const auto base = general_register(operand.mem.base);
    if (base) return MemoryRead{*base, operand.mem.disp.value, static_cast<std::uint8_t>(operand.size / 8)};
  }
  return std::nullopt;
}

std::optional<std::int64_t> short_jump_of(const ZydisDecodedInstruction& instruction) {
  const auto& displacement = instruction.raw.imm[0];
  if (displacement.is_relative == ZYAN_FALSE || displacement.size != 8) return std::nullopt;
  return displacement.value.s + instruction.length;
}

Flow flow_of(const ZydisDecodedInstruction& instruction) {
  switch (instruction.meta.category) {
    case ZYDIS_CATEGORY_CALL:
      return instruction.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR ? Flow::unknown : Flow::call;
    case ZYDIS_CATEGORY_COND_BR:
      return Flow::branch;
    case ZYDIS_CATEGORY_UNCOND_BR:
      return instruction.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR ? Flow::unknown : Flow::jump;
    default:
      break;
  }
  switch (instruction.mnemonic) {
    case ZYDIS_MNEMONIC_RET:
      return instruction.meta.branch_type == ZYDIS_BRANCH_TYPE_FAR ? Flow::unknown : Flow::returns;
    case ZYDIS_MNEMONIC_SYSCALL:
      return Flow::kernel;
    case ZYDIS_MNEMONIC_UD2:
    case ZYDIS_MNEMONIC_HLT:
      return Flow::stops;
    default:
      return is_control_flow(instruction) ? Flow::unknown : Flow::next;
  }
}

std::optional<std::int64_t> target_of(const ZydisDecodedInstruction& instruction) {
  const auto& displacement = instruction.raw.imm[0];
  if (displacement.is_relative == ZYAN_FALSE) return std::nullopt;
  return displacement.value.s + instruction.length;
}

bool is_low_register(const ZydisDecodedOperand& operand) {
  return operand.type == ZYDIS_OPERAND_TYPE_REGISTER &&
         (operand.reg.value < ZYDIS_REGISTER_AH || operand.reg.value > ZYDIS_REGISTER_BH);
}

// The register that both operands are.
std::optional<Register> twice(std::span<const ZydisDecodedOperand> operands) {
  if (operands.size() < 2 || !is_low_register(operands[0]) || !is_low_register(operands[1]) ||
      operands[0].reg.value != operands[1].reg.value) {
    return std::nullopt;
  }
  return general_register(operands[0].reg.value);
}

// What is known of numbers in registers after it. A 32-bit result clears the upper half; a narrower one leaves it.
void learn_numbers(const ZydisDecodedInstruction& instruction, std::span<const ZydisDecodedOperand> operands,
                   Instruction& learned) {
  if (operands.size() < 2 || !is_low_register(operands[0])) return;
  const auto reg = general_register(operands[0].reg.value);
  if (!reg) return;
  if (instruction.mnemonic == ZYDIS_MNEMONIC_TEST && twice(operands)) {
    learned.part_tested = reg;
    if (operands[0].size == 64) learned.tested = reg;
  }
  if (operands[0].size < 32) return;
  const bool move = instruction.mnemonic == ZYDIS_MNEMONIC_MOV;
  if (operands[1].type == ZYDIS_OPERAND_TYPE_IMMEDIATE) {
    const bool odd = (operands[1].imm.value.u & 1U) != 0;
    if (move && operands[1].imm.value.u == 0) learned.zeroed = reg;
    if (move && odd) learned.made_odd = reg;
    if (instruction.mnemonic == ZYDIS_MNEMONIC_AND && odd) learned.kept_odd = reg;
  } else if (instruction.mnemonic == ZYDIS_MNEMONIC_XOR) {
    learned.zeroed = twice(operands);
  } else if ((move || instruction.mnemonic == ZYDIS_MNEMONIC_MOVZX) && is_low_register(operands[1])) {
    const auto from = general_register(operands[1].reg.value);
    if (from) learned.resized = RegisterCopy{*from, *reg};
  }
}

std::optional<bool> zero_condition(const ZydisDecodedInstruction& instruction) {
  if (instruction.mnemonic == ZYDIS_MNEMONIC_JZ) return true;
  if (instruction.mnemonic == ZYDIS_MNEMONIC_JNZ) return false;
  return std::nullopt;
}

}  // namespace

struct Decoder::State {
  ZydisDecoder decoder;
  ZydisFormatter formatter;
};

Decoder::Decoder() : state_(std::make_unique<State>()) {
  ZydisDecoderInit(&state_->decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
  ZydisFormatterInit(&state_->formatter, ZYDIS_FORMATTER_STYLE_INTEL);
}

Decoder::~Decoder() = default;

std::optional<Instruction> Decoder::decode(std::span<const std::byte> code) const {
  ZydisDecodedInstruction instruction;
  std::array<ZydisDecodedOperand, ZYDIS_MAX_OPERAND_COUNT> operands;
  if (!ZYAN_SUCCESS(
          ZydisDecoderDecodeFull(&state_->decoder, code.data(), code.size(), &instruction, operands.data()))) {
    return std::nullopt;
  }
  const auto used = std::span(operands).first(instruction.operand_count);
  Instruction found{};
  found.length = instruction.length;
  found.emulated = is_emulated(code, instruction.length);
  found.control_flow = is_control_flow(instruction);
  found.written = written_by(used);
  found.copied = copy_by(instruction, used);
  found.read = read_by(used);
  found.short_jump = short_jump_of(instruction);
  found.flow = flow_of(instruction);
  found.target = target_of(instruction);
  found.jumps_if_zero = zero_condition(instruction);
  learn_numbers(instruction, used, found);
  return found;
}

std::string Decoder::text(std::span<const std::byte> code, std::uint64_t vaddr) const {
  ZydisDecodedInstruction instruction;
  std::array<ZydisDecodedOperand, ZYDIS_MAX_OPERAND_COUNT> operands;
  if (!ZYAN_SUCCESS(
          ZydisDecoderDecodeFull(&state_->decoder, code.data(), code.size(), &instruction, operands.data()))) {
    return {};
  }
  std::array<char, 128> buffer{};
  if (!ZYAN_SUCCESS(ZydisFormatterFormatInstruction(&state_->formatter, &instruction, operands.data(),
                                                    instruction.operand_count_visible, buffer.data(), buffer.size(),
                                                    vaddr, nullptr))) {
    return {};
  }
  return buffer.data();
}

}  // namespace asyncleak::elf
