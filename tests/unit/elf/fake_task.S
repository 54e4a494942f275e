/* Types _asyncio.Task and Future whose getters read their fields in the ways compilers write it. STATIC_TYPE or SPEC:
 * how the types are described; INHERIT: what both have in common is in the Future's table alone (3.14);
 * OPAQUE: getters that no decoder should understand; DEBUG_WORDS: how many words .AsyncioDebug has. */
  .text
  .macro function name
  .p2align 4
  .type \name, @function
\name:
  .cfi_startproc
  .endm
  .macro done name
  .cfi_endproc
  .size \name, . - \name
  .endm

function init
  ret
done init
function dealloc
  push %rbx
  pop %rbx
  ret
done dealloc
function traverse
  xor %eax, %eax
  ret
done traverse

/* The type first, as a module state look-up does; then the field. */
function get_loop
  endbr64
  mov 8(%rdi), %rax
  mov 16(%rdi), %rax
  test %rax, %rax
  je 1f
  ret
1: xor %eax, %eax
  ret
done get_loop

#ifdef OPAQUE
function get_state
  push %rdi
  mov (%rsp), %rax
  mov 104(%rax), %eax
  pop %rdi
  ret
done get_state
function get_fut_waiter
  xor %edi, %edi
  mov 120(%rdi), %rax
  ret
done get_fut_waiter
function get_coro
  lea 128(%rdi), %rax
  mov (%rax), %rax
  ret
done get_coro
function get_name
  call dealloc
  mov 136(%rdi), %rax
  ret
done get_name
#else
/* Another size and the loop come before; the object moves to a register that calls keep. */
function get_state
  push %rbx
  mov %rdi, %rbx
  cmpq $0, 16(%rdi)
  je 1f
  call dealloc
  cmpq $0, 200(%rdi)
  mov 104(%rbx), %eax
1: pop %rbx
  ret
done get_state
function get_fut_waiter
  cmpq $0, 16(%rdi)
  jmp 2f
  mov 64(%rdi), %rax
2: mov 120(%rdi), %rax
  ret
done get_fut_waiter
function get_coro
  mov %rdi, %rax
  mov %rsi, %rdi
  mov 128(%rax), %rax
  ret
done get_coro
function get_name
  cmpq $0, 136(%rdi)
  ret
done get_name
#endif

  .section .rodata
task_text: .string "_asyncio.Task"
future_text: .string "_asyncio.Future"
loop_text: .string "_loop"
state_text: .string "_state"
fut_waiter_text: .string "_fut_waiter"
coro_text: .string "_coro"
get_name_text: .string "get_name"

  .data
  .p2align 4
  .macro getset text, function
  .quad \text, \function, 0, 0, 0
  .endm
task_getset:
#ifndef INHERIT
  getset loop_text, get_loop
  getset state_text, get_state
#endif
  getset fut_waiter_text, get_fut_waiter
  getset coro_text, get_coro
  .quad 0, 0, 0, 0, 0
future_getset:
  getset loop_text, get_loop
  getset state_text, get_state
  .quad 0, 0, 0, 0, 0
task_methods:
  .quad get_name_text, get_name, 4, 0
  .quad 0, 0, 0, 0

#ifdef STATIC_TYPE
/* PyTypeObject from tp_name on. */
  .macro type text, basicsize, function, methods, getset
  .quad \text, \basicsize, 0, dealloc
  .zero 128
  .quad traverse
  .zero 40
  .quad \methods, 0, \getset
  .zero 40
  .quad \function
  .zero 64
  .endm
task: type task_text, 168, init, task_methods, task_getset
future: type future_text, 112, init, 0, future_getset
#else
  .macro slots methods, getset
  .quad 52, dealloc, 60, init, 64, \methods, 71, traverse, 73, \getset, 0, 0
  .endm
task_slots: slots task_methods, task_getset
future_slots: slots task_methods, future_getset
task: .quad task_text
  .long 168, 0, 0, 0
  .quad task_slots
future: .quad future_text
  .long 112, 0, 0, 0
  .quad future_slots
#endif

#ifdef DEBUG_WORDS
  .section .AsyncioDebug, "aw", @progbits
words: .quad 168, 136, 96, 108, 109, 128, 152, 4000, 3000, 936, 864, 872
  .if DEBUG_WORDS > 12
  .quad 880
  .endif
  .if DEBUG_WORDS > 13
  .quad 1
  .endif
#endif
  .section .note.GNU-stack, "", @progbits
