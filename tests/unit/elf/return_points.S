# Functions (pointer f(size)) for the table in return_points_test.cpp; never run.
.macro function name
        .globl \name
        .type \name, @function
\name:  .cfi_startproc
.endm
.macro end name
        .cfi_endproc
        .size \name, . - \name
.endm
# Keeps the argument in rbx over a call.
.macro allocate_keeping
        push %rbx
        mov %rdi, %rbx
        call inner
.endm
        .text

function inner
        mov $64, %eax
        ret
end inner

function never_returns
        ud2
end never_returns

# glibc 2.26 to 2.36: __libc_message(action, ...) comes back unless bit 0 of the action is set.
function returns_unless_told
        push %rbx
        and $1, %edi
        mov %edi, %ebx
        call inner
        test %ebx, %ebx
        jne 1f
        pop %rbx
        ret
1:      call never_returns
end returns_unless_told

function plain
        allocate_keeping
        test %al, %al
        js 1f
1:      pop %rbx
        ret
end plain

function no_emulated_instruction
        mov (%rdi), %rax
        ret
end no_emulated_instruction

function changed_behind
        allocate_keeping
        test %rax, %rax
        je 1f
        add $16, %rax
1:      pop %rbx
        ret
end changed_behind

# The second place is behind the first on the same path.
function two_on_a_path
        allocate_keeping
        test %al, %al
        js 1f
        jp 1f
        nop
1:      pop %rbx
        ret
end two_on_a_path

# One way has a place of its own before it joins the other: the common one is enough.
function joined
        allocate_keeping
        cmp $64, %rbx
        jb 1f
        mov 8(%rbx), %rax
        jmp 2f
1:      mov 16(%rbx), %rax
2:      test %al, %al
        js 3f
3:      pop %rbx
        ret
end joined

function only_in_a_loop
        mov 8(%rdi), %rax
1:      dec %ecx
        jne 1b
        ret
end only_in_a_loop

function before_a_loop
        mov 8(%rdi), %rax
        nop
1:      dec %ecx
        jne 1b
        ret
end before_a_loop

# What the first call returned is not final when it is NULL.
function tries_again
        allocate_keeping
        test %rax, %rax
        jne 1f
        mov %rbx, %rdi
        call inner
        test %rax, %rax
        je 2f
1:      pop %rbx
        ret
2:      xor %eax, %eax
        pop %rbx
        ret
end tries_again

function null_without_place
        test %rdi, %rdi
        js 1f
        mov 8(%rdi), %rax
        test %al, %al
        jp 2f
2:      ret
1:      xor %eax, %eax
        ret
end null_without_place

function pointer_without_place
        mov 8(%rdi), %rax
        test %edi, %edi
        js 1f
        xor %edi, %edi
        lea 16(%rax), %rax
        ret
1:      nop
        ret
end pointer_without_place

function argument_lost
        sub $8, %rsp
        test %rdi, %rdi
        jne 1f
        mov $128, %edi
1:      cmp $4096, %rdi
        ja 2f
        mov 8(%rdi), %rax
        test %al, %al
        js 3f
3:      add $8, %rsp
        ret
2:      nop
        call inner
        test %al, %al
        js 3b
        add $8, %rsp
        ret
end argument_lost

function argument_lost_on_one_path
        sub $8, %rsp
        cmp $4096, %rdi
        ja 2f
        mov 8(%rdi), %rax
        test %al, %al
        js 3f
3:      add $8, %rsp
        ret
2:      call inner
        test %al, %al
        js 3b
        add $8, %rsp
        ret
end argument_lost_on_one_path

function spilled
        sub $8, %rsp
        mov %rax, (%rsp)
        nop
        mov (%rsp), %rax
        add $8, %rsp
        ret
end spilled

function partly_overwritten
        mov 8(%rdi), %rax
        nop
        mov $1, %al
        ret
end partly_overwritten

function dead_end
        mov 8(%rdi), %rax
        test $15, %al
        jne 1f
        ret
1:      mov $1, %eax
        call never_returns
        nop
        ret
end dead_end

function dead_end_by_argument
        mov 8(%rdi), %rax
        test $15, %al
        jne 1f
        ret
1:      mov $1, %edi
        call returns_unless_told
        mov $32, %eax
        ret
end dead_end_by_argument

function no_dead_end_by_argument
        mov 8(%rdi), %rax
        test $15, %al
        jne 1f
        ret
1:      mov $2, %edi
        call returns_unless_told
        mov $32, %eax
        ret
end no_dead_end_by_argument

# glibc before 2.34: __malloc_hook.
function hooked
        mov 8(%rdi), %rcx
        test %rcx, %rcx
        jne 1f
        mov 16(%rdi), %rax
        nop
        ret
1:      jmp *%rcx
end hooked

function only_indirect
        jmp *%rdi
end only_indirect

function slow_part
        push %rbx
        call inner
        test %al, %al
        js 1f
1:      pop %rbx
        ret
end slow_part

function tail_call
        mov 8(%rdi), %rax
        test %rax, %rax
        je 1f
        ret
1:      jmp.d32 slow_part
end tail_call

function entered_in_the_middle
        nop
middle: mov 8(%rdi), %rax
        nop
        ret
end entered_in_the_middle

function enters
        jmp.d32 middle
end enters

function inside_an_instruction
        mov 8(%rdi), %rax
        test %al, %al
        js 1f + 1
1:      mov $0xc3c39090, %ecx
        ret
end inside_an_instruction

function undecodable
        mov 8(%rdi), %rax
        .byte 0x06
        ret
end undecodable

        .section .note.GNU-stack,"",@progbits
