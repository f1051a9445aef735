/* Context switch for x86-64, System V ABI: what a callee must keep is rbx, rbp, r12-r15, the
 * control bits of mxcsr and the x87 control word; all else the compiler saves around the call.
 *
 * The processor predicts a ret by the calls of the stack it leaves. Most often that is right: the
 * scheduler's one call suspends the one task, and the other goes on behind the same call. Then it
 * leaves by ret, and the returns that follow are predicted too, one for one. Any other ret would
 * be predicted wrong (10 ns against 4), so there it leaves by pop and jmp; notrack, since the
 * target is a return address and bears no endbr64. The object carries no shadow-stack note, so the
 * linker does not mark the program as shadow-stack compatible, which it is not with stacks of its
 * own. */

    .text
    .globl weir__ctx_switch
    .hidden weir__ctx_switch
    .type weir__ctx_switch, @function
    .p2align 6 /* by 16 it takes 5 or 10 ns, as its jump happens to lie */
weir__ctx_switch:
    .cfi_startproc
    endbr64
    movq (%rsp), %rdx /* where the caller goes on */
    pushq %rbp
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbp, 0
    pushq %rbx
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %rbx, 0
    pushq %r12
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r12, 0
    pushq %r13
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r13, 0
    pushq %r14
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r14, 0
    pushq %r15
    .cfi_adjust_cfa_offset 8
    .cfi_rel_offset %r15, 0
    subq $8, %rsp
    .cfi_adjust_cfa_offset 8
    stmxcsr (%rsp)
    fnstcw 4(%rsp)
    movq %rsp, (%rdi)
    /* Both stacks have this layout here, so the unwind rows stay true across the switch. */
    movq (%rsi), %rsp
    ldmxcsr (%rsp)
    fldcw 4(%rsp)
    addq $8, %rsp
    .cfi_adjust_cfa_offset -8
    popq %r15
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r15
    popq %r14
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r14
    popq %r13
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r13
    popq %r12
    .cfi_adjust_cfa_offset -8
    .cfi_restore %r12
    popq %rbx
    .cfi_adjust_cfa_offset -8
    .cfi_restore %rbx
    popq %rbp
    .cfi_adjust_cfa_offset -8
    .cfi_restore %rbp
    cmpq %rdx, (%rsp)
    jne 1f
    ret
1:  popq %rcx
    .cfi_adjust_cfa_offset -8
    .cfi_register %rip, %rcx
    notrack jmpq *%rcx
    .cfi_endproc
    .size weir__ctx_switch, . - weir__ctx_switch

/* The first instruction of a new stack: r12 holds the entry, r13 its argument (weir__ctx_make). The
 * return address is undefined: backtraces end here. */
    .globl weir__ctx_start
    .hidden weir__ctx_start
    .type weir__ctx_start, @function
    .p2align 4
weir__ctx_start:
    .cfi_startproc
    .cfi_undefined %rip
    endbr64
    movq %r13, %rdi
    callq *%r12
    ud2
    .cfi_endproc
    .size weir__ctx_start, . - weir__ctx_start

    .section .note.GNU-stack, "", @progbits
