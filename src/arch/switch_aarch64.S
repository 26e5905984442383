/* SPDX-License-Identifier: MIT */
/*
 * The switch for AArch64, AAPCS64.
 *
 * A parked stack, from its saved stack pointer up:
 *      0  x19 .. x28   80 x29 (frame pointer)   88 x30 (return address)
 *     96  d8 .. d15   160 fpcr   168 unused
 * switch_asm.c and the CFI below repeat this layout.
 */
#if defined(__aarch64__) && defined(__ELF__) && !(defined(EDO_UCONTEXT) && EDO_UCONTEXT)

    .text
    .p2align 6
    .globl edo__switch
    .hidden edo__switch
    .type edo__switch, %function
edo__switch:                            /* x0: where to save, x1: what to load */
    .cfi_startproc
    hint    #34                         /* bti c */
    sub     sp, sp, #176
    .cfi_adjust_cfa_offset 176
    stp     x19, x20, [sp, #0]
    stp     x21, x22, [sp, #16]
    stp     x23, x24, [sp, #32]
    stp     x25, x26, [sp, #48]
    stp     x27, x28, [sp, #64]
    stp     x29, x30, [sp, #80]
    .cfi_rel_offset x19, 0
    .cfi_rel_offset x20, 8
    .cfi_rel_offset x21, 16
    .cfi_rel_offset x22, 24
    .cfi_rel_offset x23, 32
    .cfi_rel_offset x24, 40
    .cfi_rel_offset x25, 48
    .cfi_rel_offset x26, 56
    .cfi_rel_offset x27, 64
    .cfi_rel_offset x28, 72
    .cfi_rel_offset x29, 80
    .cfi_rel_offset x30, 88
    stp     d8, d9, [sp, #96]
    stp     d10, d11, [sp, #112]
    stp     d12, d13, [sp, #128]
    stp     d14, d15, [sp, #144]
    .cfi_rel_offset d8, 96
    .cfi_rel_offset d9, 104
    .cfi_rel_offset d10, 112
    .cfi_rel_offset d11, 120
    .cfi_rel_offset d12, 128
    .cfi_rel_offset d13, 136
    .cfi_rel_offset d14, 144
    .cfi_rel_offset d15, 152
    mrs     x9, fpcr
    str     x9, [sp, #160]
    mov     x10, sp
    str     x10, [x0]
    mov     sp, x1
    ldr     x11, [sp, #160]
    cmp     x9, x11                     /* writing fpcr is slow: only when it differs */
    b.eq    0f
    msr     fpcr, x11
0:
    ldp     d14, d15, [sp, #144]
    ldp     d12, d13, [sp, #128]
    ldp     d10, d11, [sp, #112]
    ldp     d8, d9, [sp, #96]
    ldp     x29, x30, [sp, #80]
    ldp     x27, x28, [sp, #64]
    ldp     x25, x26, [sp, #48]
    ldp     x23, x24, [sp, #32]
    ldp     x21, x22, [sp, #16]
    ldp     x19, x20, [sp, #0]
    .cfi_restore x19
    .cfi_restore x20
    .cfi_restore x21
    .cfi_restore x22
    .cfi_restore x23
    .cfi_restore x24
    .cfi_restore x25
    .cfi_restore x26
    .cfi_restore x27
    .cfi_restore x28
    .cfi_restore x29
    .cfi_restore x30
    .cfi_restore d8
    .cfi_restore d9
    .cfi_restore d10
    .cfi_restore d11
    .cfi_restore d12
    .cfi_restore d13
    .cfi_restore d14
    .cfi_restore d15
    add     sp, sp, #176
    .cfi_adjust_cfa_offset -176
    ret
    .cfi_endproc
    .size edo__switch, . - edo__switch

/*
 * The outermost frame of every context: switch_asm.c leaves entry in x19 and arg in x20. An
 * undefined return address tells unwinders that nobody called. They look a return address up at pc
 * - 4, hence the nop in front.
 */
    .p2align 4
    .globl edo__switch_first
    .hidden edo__switch_first
    .type edo__switch_start, %function
    .cfi_startproc
    .cfi_undefined x30
edo__switch_start:
    nop
edo__switch_first:
    hint    #36                         /* bti j */
    mov     x0, x20
    blr     x19
    brk     #0
    .cfi_endproc
    .size edo__switch_start, . - edo__switch_start

#endif
#if defined(__linux__) && defined(__ELF__)
    .section .note.GNU-stack, "", %progbits
#endif
