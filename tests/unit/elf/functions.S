# Functions for the placement table in placement_test.cpp; never run.
.macro function name
        .globl \name
        .type \name, @function
\name:  .cfi_startproc
.endm
.macro end name
        .cfi_endproc
        .size \name, . - \name
.endm
        .text

function push_first
        push %rbx
        ret
end push_first

function endbr_then_push
        endbr64
        push %r15
        ret
end endbr_then_push

function alias_then_push
        mov %rdi, %rbx
        xor %edi, %edi
        push %rbp
        ret
end alias_then_push

function alias_of_alias
        mov %rdi, %rax
        mov %rax, %r10
        xor %edi, %edi
        xor %eax, %eax
        push %rbp
        ret
end alias_of_alias

function two_arguments
        mov %rsi, %r12
        xor %esi, %esi
        push %rbp
        ret
end two_arguments

function argument_lost
        xor %edi, %edi
        push %rbp
        ret
end argument_lost

function low_byte_lost
        mov $1, %dil
        push %rbp
        ret
end low_byte_lost

function cmov_lost
        cmove %rsi, %rdi
        push %rbp
        ret
end cmov_lost

function implicit_write_lost
        mul %rcx
        push %rbx
        ret
end implicit_write_lost

function conditional_jump
        test %rsi, %rsi
        je 1f
        push %rbx
1:      ret
end conditional_jump

function call_as_place
        sub $8, %rsp
        call push_first
        ret
end call_as_place

function tail_jump
        mov %rdi, %rdx
        jmp.d32 push_first
end tail_jump

function one_byte_nop
        test %rdi, %rdi
        nop
        ret
end one_byte_nop

function long_nop_then_push
        nopw 0(%rax,%rax,1)
        push %rbx
        ret
end long_nop_then_push

function pause_then_push
        pause
        push %rbx
        ret
end pause_then_push

function push_immediate_then_push
        push $1
        push %rbx
        ret
end push_immediate_then_push

# REX.W before push: not the spelling the kernel takes.
function wide_push_then_push
        .byte 0x48, 0x50
        push %rbx
        ret
end wide_push_then_push

# A branch hint (2e) is a prefix uprobes refuse.
function hinted_jump
        test %rdi, %rdi
        .byte 0x2e, 0x74, 0x00
        push %rbx
        ret
end hinted_jump

function loop_into_range
        sub $8, %rsp
1:      push %rbx
        dec %ecx
        jne 1b
        ret
end loop_into_range

function far_loop_into_range
        sub $8, %rsp
1:      push %rbx
        dec %ecx
        jne.d32 1b
        ret
end far_loop_into_range

function entered_from_elsewhere
        sub $8, %rsp
middle: push %rbx
        ret
end entered_from_elsewhere

function enters_elsewhere
        nop
        jmp.d32 middle
end enters_elsewhere

# A loop to the entry itself passes the place as often as the entry: allowed.
function loop_to_entry
1:      test %rdi, %rdi
        jne 1b
        ret
end loop_to_entry

function return_first
        ret
end return_first

function indirect_jump
        mov %rdi, %rsi
        jmp *%rax
end indirect_jump

function undecodable
        .byte 0x06
        push %rbx
        ret
end undecodable

function long_without_place
        .rept 100
        lea 8(%rax), %rax
        .endr
        push %rbx
        ret
end long_without_place

        .section .note.GNU-stack,"",@progbits
