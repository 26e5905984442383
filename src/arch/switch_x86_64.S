/* SPDX-License-Identifier: MIT */
/*
 * The switch for x86-64, System V ABI.
 *
 * A parked stack, from its saved stack pointer up:
 *      0  mxcsr (4), x87 control word (2), unused (2)
 *      8  r15   16 r14   24 r13   32 r12   40 rbx   48 rbp
 *     56  return address
 * switch_asm.c and the CFI below repeat this layout. The frame has the same shape on both stacks,
 * so one set of CFI is right before and after the stack pointer moves, and a debugger that is given
 * the saved stack pointer and a pc inside edo__switch_suspend walks a parked stack.
 */
#if defined(__x86_64__) && defined(__ELF__) && !(defined(EDO_UCONTEXT) && EDO_UCONTEXT)

/* The callee-saved registers, as the frame above says; leaves room for the control words to the
 * caller. */
.macro save_registers
    pushq   %rbp
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbp, 0
    pushq   %rbx
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbx, 0
    pushq   %r12
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r12, 0
    pushq   %r13
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r13, 0
    pushq   %r14
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r14, 0
    pushq   %r15
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r15, 0
.endm

/* Continues on the stack that rsp points to the frame of. */
.macro restore_registers
    addq    $8, %rsp
    .cfi_adjust_cfa_offset -8
    popq    %r15
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r15
    popq    %r14
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r14
    popq    %r13
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r13
    popq    %r12
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r12
    popq    %rbx
    .cfi_adjust_cfa_offset -8
    .cfi_restore %rbx
    popq    %rbp
    .cfi_adjust_cfa_offset -8
    .cfi_restore %rbp
.endm

/* After a change between a thread and a context a ret would always be mispredicted: the return stack of
 * the processor names the caller on the stack just left. An indirect jump is predicted from history. */
.macro return_by_jump
    popq    %rcx
    .cfi_adjust_cfa_offset -8
    .cfi_register %rip, %rcx
    notrack jmp *%rcx
.endm

/* The CFI of a whole frame, for the code after a jump out of the straight line. */
.macro whole_frame
    .cfi_def_cfa %rsp, 64
    .cfi_offset %rip, -8
    .cfi_offset %rbp, -16
    .cfi_offset %rbx, -24
    .cfi_offset %r12, -32
    .cfi_offset %r13, -40
    .cfi_offset %r14, -48
    .cfi_offset %r15, -56
.endm

    .text
    .p2align 6
    .globl edo__switch_resume
    .hidden edo__switch_resume
    .type edo__switch_resume, @function
edo__switch_resume:                     /* rdi: where to save, rsi: what to load, rdx: control words */
    .cfi_startproc
    endbr64
    save_registers
    /* The resumer's control words are known: asking the processor takes longer than all the
     * rest. */
    pushq   %rdx
    .cfi_adjust_cfa_offset 8
    movq    %rsp, (%rdi)
    movq    %rsi, %rsp
    movl    (%rsp), %eax
    xorl    %edx, %eax
    shrq    $32, %rdx
    andl    $0xffc0, %eax               /* the low six bits of mxcsr are status: not preserved */
    jne     1f
    cmpw    4(%rsp), %dx
    jne     1f
0:
    restore_registers
    return_by_jump
1:
    whole_frame
    /* Loading a control word is slow and nearly never needed. */
    ldmxcsr (%rsp)
    fldcw   4(%rsp)
    jmp     0b
    .cfi_endproc
    .size edo__switch_resume, . - edo__switch_resume

/* What suspend and pass have in common; \finish is how they return. */
.macro leave_context finish:req
    .cfi_startproc
    endbr64
    save_registers
    subq    $8, %rsp
    .cfi_adjust_cfa_offset 8
    stmxcsr (%rsp)
    fnstcw  4(%rsp)
    movl    (%rsp), %eax
    movzwl  4(%rsp), %edx
    movq    %rsp, (%rdi)
    movq    %rsi, %rsp
    xorl    (%rsp), %eax
    andl    $0xffc0, %eax               /* the low six bits of mxcsr are status: not preserved */
    jne     1f
    cmpw    4(%rsp), %dx
    jne     1f
0:
    restore_registers
    \finish
1:
    whole_frame
    ldmxcsr (%rsp)
    fldcw   4(%rsp)
    jmp     0b
    .cfi_endproc
.endm

    .p2align 6
    .globl edo__switch_suspend
    .hidden edo__switch_suspend
    .type edo__switch_suspend, @function
edo__switch_suspend:                    /* rdi: where to save, rsi: what to load */
    leave_context return_by_jump
    .size edo__switch_suspend, . - edo__switch_suspend

/* From one context straight to another. Both were nearly always left by the same calls, so the return
 * stack of the processor names the right places: returning by ret keeps it in step, and every return up
 * the chain is predicted. (With a jump this way would be slower than the one through the thread.) */
    .p2align 6
    .globl edo__switch_pass
    .hidden edo__switch_pass
    .type edo__switch_pass, @function
edo__switch_pass:                       /* rdi: where to save, rsi: what to load */
    leave_context ret
    .size edo__switch_pass, . - edo__switch_pass

/*
 * The outermost frame of every context: switch_asm.c leaves entry in rbx and arg in r12. An
 * undefined return address tells unwinders that nobody called. They look a return address up at pc
 * - 1, hence the nop in front.
 */
    .p2align 4
    .globl edo__switch_first
    .hidden edo__switch_first
    .type edo__switch_start, @function
    .cfi_startproc
    .cfi_undefined %rip
edo__switch_start:
    nop
edo__switch_first:
    endbr64
    movq    %r12, %rdi
    call    *%rbx
    ud2
    .cfi_endproc
    .size edo__switch_start, . - edo__switch_start

#endif
#if defined(__linux__) && defined(__ELF__)
    .section .note.GNU-stack, "", %progbits
#endif
