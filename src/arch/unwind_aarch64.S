/* SPDX-License-Identifier: MIT */
/*
 * edo__unwind_from() for AArch64: a bridge for unwinders from the running stack to a parked one.
 *
 * During the call its call frame information says that the caller's registers are those in the
 * edo__registers block that x19 points to. Interrupted code has both a pc and an x30 of its own, so
 * the return address gets column 96, which unwinders have for signal frames. The expressions below
 * are DW_OP_breg19 offset; offsets from 64 up take two bytes.
 */
#if defined(__aarch64__) && defined(__ELF__)

    .text
    .p2align 4
    .globl edo__unwind_from
    .hidden edo__unwind_from
    .type edo__unwind_from, %function
    .globl edo__unwind_mark
    .hidden edo__unwind_mark
edo__unwind_from:                       /* x0: block, x1: fn, x2: arg */
    .cfi_startproc
    .cfi_return_column 96
    .cfi_register 96, 30
    hint    #34                         /* bti c */
    stp     x29, x30, [sp, #-32]!
    .cfi_adjust_cfa_offset 32
    .cfi_rel_offset x29, 0
    .cfi_rel_offset x30, 8
    str     x19, [sp, #16]
    .cfi_rel_offset x19, 16
    mov     x19, x0
    mov     x0, x2
    .cfi_remember_state
    .cfi_escape 0x0f, 3, 0x83, 0, 0x06          /* CFA = block->sp */
    .cfi_escape 0x10, 0xe0, 0, 2, 0x83, 8       /* return address (96) at &block->pc */
    .cfi_escape 0x10, 19, 2, 0x83, 16           /* x19 at &block->saved[0] */
    .cfi_escape 0x10, 20, 2, 0x83, 24
    .cfi_escape 0x10, 21, 2, 0x83, 32
    .cfi_escape 0x10, 22, 2, 0x83, 40
    .cfi_escape 0x10, 23, 2, 0x83, 48
    .cfi_escape 0x10, 24, 2, 0x83, 56
    .cfi_escape 0x10, 25, 3, 0x83, 0xc0, 0      /* 64 */
    .cfi_escape 0x10, 26, 3, 0x83, 0xc8, 0
    .cfi_escape 0x10, 27, 3, 0x83, 0xd0, 0
    .cfi_escape 0x10, 28, 3, 0x83, 0xd8, 0
    .cfi_escape 0x10, 29, 3, 0x83, 0xe0, 0      /* 96 */
    .cfi_escape 0x10, 30, 3, 0x83, 0xe8, 0
    blr     x1
edo__unwind_mark:
    nop
    .cfi_restore_state
    ldr     x19, [sp, #16]
    ldp     x29, x30, [sp], #32
    .cfi_adjust_cfa_offset -32
    .cfi_restore x19
    .cfi_restore x29
    .cfi_restore x30
    ret
    .cfi_endproc
    .size edo__unwind_from, . - edo__unwind_from

#endif
#if defined(__linux__) && defined(__ELF__)
    .section .note.GNU-stack, "", %progbits
#endif
