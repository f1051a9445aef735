/* Context switch for AArch64, AAPCS64: a callee keeps x19-x28, x29 (frame), x30 (link) and the low
 * halves of v8-v15. x18 belongs to the platform and is left alone. FPCR is not switched: the ABI
 * makes it global state. */

    .text
    .globl weir__ctx_switch
    .hidden weir__ctx_switch
    .type weir__ctx_switch, %function
    .p2align 4
weir__ctx_switch:
    .cfi_startproc
    hint #34 /* bti c */
    stp x29, x30, [sp, #-160]!
    .cfi_def_cfa_offset 160
    .cfi_offset x29, -160
    .cfi_offset x30, -152
    stp x19, x20, [sp, #16]
    stp x21, x22, [sp, #32]
    stp x23, x24, [sp, #48]
    stp x25, x26, [sp, #64]
    stp x27, x28, [sp, #80]
    .cfi_offset x19, -144
    .cfi_offset x20, -136
    .cfi_offset x21, -128
    .cfi_offset x22, -120
    .cfi_offset x23, -112
    .cfi_offset x24, -104
    .cfi_offset x25, -96
    .cfi_offset x26, -88
    .cfi_offset x27, -80
    .cfi_offset x28, -72
    stp d8, d9, [sp, #96]
    stp d10, d11, [sp, #112]
    stp d12, d13, [sp, #128]
    stp d14, d15, [sp, #144]
    mov x9, sp
    str x9, [x0]
    /* Both stacks have this layout here, so the unwind rows stay true across the switch. */
    ldr x9, [x1]
    mov sp, x9
    ldp d14, d15, [sp, #144]
    ldp d12, d13, [sp, #128]
    ldp d10, d11, [sp, #112]
    ldp d8, d9, [sp, #96]
    ldp x27, x28, [sp, #80]
    ldp x25, x26, [sp, #64]
    ldp x23, x24, [sp, #48]
    ldp x21, x22, [sp, #32]
    ldp x19, x20, [sp, #16]
    ldp x29, x30, [sp], #160
    .cfi_def_cfa_offset 0
    .cfi_restore x29
    .cfi_restore x30
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
    ret
    .cfi_endproc
    .size weir__ctx_switch, . - weir__ctx_switch

/* The first instruction of a new stack: x19 holds the entry, x20 its argument (weir__ctx_make). The
 * return address is undefined: backtraces end here. Reached by ret, so "bti j" covers it where
 * the processor checks. */
    .globl weir__ctx_start
    .hidden weir__ctx_start
    .type weir__ctx_start, %function
    .p2align 4
weir__ctx_start:
    .cfi_startproc
    .cfi_undefined x30
    hint #36 /* bti j */
    mov x0, x20
    blr x19
    brk #0x1
    .cfi_endproc
    .size weir__ctx_start, . - weir__ctx_start

    .section .note.GNU-stack, "", %progbits
