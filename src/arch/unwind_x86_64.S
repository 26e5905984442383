/* SPDX-License-Identifier: MIT */
/*
 * edo__unwind_from() for x86-64: a bridge for unwinders from the running stack to a parked one.
 *
 * During the call its call frame information says that the caller's registers are those in the
 * edo__registers block that rbx points to. The expressions below are DW_OP_breg3 (rbx) offset; offsets
 * from 64 up take two bytes. An unwinder crashes where it needs a register that nobody told it of.
 */
#if defined(__x86_64__) && defined(__ELF__)

    .text
    .p2align 4
    .globl edo__unwind_from
    .hidden edo__unwind_from
    .type edo__unwind_from, @function
    .globl edo__unwind_mark
    .hidden edo__unwind_mark
edo__unwind_from:                       /* rdi: block, rsi: fn, rdx: arg */
    .cfi_startproc
    endbr64
    pushq   %rbx
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbx, 0
    movq    %rdi, %rbx
    movq    %rdx, %rdi
    .cfi_remember_state
    .cfi_escape 0x0f, 3, 0x73, 0, 0x06  /* CFA = block->sp */
    .cfi_escape 0x10, 16, 2, 0x73, 8    /* return address at &block->pc */
    .cfi_escape 0x10, 6, 2, 0x73, 16    /* rbp at &block->saved[0] */
    .cfi_escape 0x10, 3, 2, 0x73, 24    /* rbx */
    .cfi_escape 0x10, 12, 2, 0x73, 32   /* r12 */
    .cfi_escape 0x10, 13, 2, 0x73, 40
    .cfi_escape 0x10, 14, 2, 0x73, 48
    .cfi_escape 0x10, 15, 2, 0x73, 56
    .cfi_escape 0x10, 0, 3, 0x73, 0xc0, 0   /* rax at &block->scratch[0]: 64 */
    .cfi_escape 0x10, 1, 3, 0x73, 0xc8, 0   /* rdx */
    .cfi_escape 0x10, 2, 3, 0x73, 0xd0, 0   /* rcx: return_by_jump of switch_x86_64.S */
    .cfi_escape 0x10, 4, 3, 0x73, 0xd8, 0   /* rsi */
    .cfi_escape 0x10, 5, 3, 0x73, 0xe0, 0   /* rdi */
    .cfi_escape 0x10, 8, 3, 0x73, 0xe8, 0   /* r8 */
    .cfi_escape 0x10, 9, 3, 0x73, 0xf0, 0
    .cfi_escape 0x10, 10, 3, 0x73, 0xf8, 0  /* r10: compilers, where a frame is aligned */
    .cfi_escape 0x10, 11, 3, 0x73, 0x80, 1
    call    *%rsi
edo__unwind_mark:
    nop
    .cfi_restore_state
    popq    %rbx
    .cfi_adjust_cfa_offset -8
    .cfi_restore %rbx
    ret
    .cfi_endproc
    .size edo__unwind_from, . - edo__unwind_from

#endif
#if defined(__linux__) && defined(__ELF__)
    .section .note.GNU-stack, "", %progbits
#endif
