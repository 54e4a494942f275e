# A library that looks like an allocator, for c_allocator_test.cpp; never run. MARKER: a name that tells which one.
# KIND_OF_MALLOC: its symbol type. NO_FREE: without free.
#ifndef KIND_OF_MALLOC
#define KIND_OF_MALLOC function
#endif
.macro begin name kind=function
        .globl \name
        .type \name, @\kind
\name:  .cfi_startproc
.endm
.macro end name
        .cfi_endproc
        .size \name, . - \name
.endm
.macro also name of
        .globl \name
        .type \name, @function
        .set \name, \of
.endm
        .text

begin malloc KIND_OF_MALLOC
        test %rdi, %rdi
        js 1f
        push %rbx
        pop %rbx
1:      ret
end malloc

begin calloc
        mov %rdi, %rax
        xor %edi, %edi
        push %rbx
        pop %rbx
        ret
end calloc

begin realloc
        call malloc@PLT
        jmp imported@PLT
end realloc

begin memalign
        push %rbp
        pop %rbp
        ret
end memalign
also aligned_alloc memalign

begin posix_memalign
        xor %eax, %eax
        ret
end posix_memalign

#ifndef NO_FREE
begin free
        test %rdi, %rdi
        je 1f
        push %rbx
        pop %rbx
1:      ret
end free
also cfree free
#endif

#ifdef MARKER
also MARKER malloc
#endif

        .data
        .globl valloc
        .type valloc, @object
valloc: .quad imported
        .size valloc, 8

        .section .note.GNU-stack,"",@progbits
