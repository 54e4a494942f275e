# Functions that get a pointer in rdi, for the table in c_allocator_test.cpp; never run.
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

function home_at_once
        test %rdi, %rdi
        je 1f
        push %rbp
        pop %rbp
1:      ret
end home_at_once

function home_from_afar
        test %rdi, %rdi
        je.d32 1f
        lea -16(%rdi), %rsi
        test $2, %al
        jne 1f
        pop %rbp
1:      ret
end home_from_afar

function home_through_epilogue
        push %rbx
        sub $16, %rsp
        mov %rdi, %rbx
        test %rbx, %rbx
        je 1f
        xor %edi, %edi
        call home_at_once
1:      add $16, %rsp
        pop %rbx
        ret
end home_through_epilogue

function works_on_null
        test %rdi, %rdi
        je 1f
        push %rbp
        pop %rbp
1:      xor %eax, %eax
        ret
end works_on_null

function calls_on_null
        test %rdi, %rdi
        je 1f
        push %rbp
        pop %rbp
1:      call home_at_once
        ret
end calls_on_null

function asks_something_else
        test %rsi, %rsi
        je 1f
        push %rbp
        pop %rbp
1:      ret
end asks_something_else

function asks_half
        test %edi, %edi
        je 1f
        push %rbp
        pop %rbp
1:      ret
end asks_half

function answer_is_another
        test %rdi, %rdi
        cmp $5, %rsi
        je 1f
        push %rbp
        pop %rbp
1:      ret
end answer_is_another

function stays_on_null
        test %rdi, %rdi
        jne 1f
        push %rbp
        pop %rbp
1:      ret
end stays_on_null

function asks_late
        cmp $5, %rsi
        jne 1f
        test %rdi, %rdi
        je 1f
        push %rbp
        pop %rbp
1:      ret
end asks_late

function comes_again
        test %rdi, %rdi
        je 1f
2:      push %rbp
        dec %ecx
        jne 2b
1:      ret
end comes_again

function loses_it
        test %rdi, %rdi
        je 1f
        mov (%rdi), %rdi
        push %rbp
1:      ret
end loses_it

function never_asks
        push %rbp
        pop %rbp
        ret
end never_asks

        .section .note.GNU-stack,"",@progbits
