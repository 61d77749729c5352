/*
 * Where the CPU lands for each of the 256 vectors: entry_stubs, 16 bytes apart.
 *
 * An interrupt saves what a C function may change and no more. Both kinds push %rbp so that it and
 * the return address form a frame: a backtrace runs through them.
 */
    .text

    .globl entry_stubs
    .balign 16
entry_stubs:
    .set vector, 0
    .rept 32
    .balign 16
    /* These push an error code by themselves (SDM vol. 3, 6.15). */
    .if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21)
    push $0
    .endif
    push $vector
    jmp exception_entry
    .set vector, vector + 1
    .endr
    .rept 224
    .balign 16
    push %rbp
    mov %rsp, %rbp
    push %rdi
    mov $vector, %edi
    jmp interrupt_entry
    .set vector, vector + 1
    .endr
    .balign 16

    .type interrupt_entry, @function
interrupt_entry:
    push %rax
    push %rcx
    push %rdx
    push %rsi
    push %r8
    push %r9
    push %r10
    push %r11
    sub $8, %rsp /* keeps the stack 16-byte aligned at the call */
    cld
    call interrupt_dispatch
    add $8, %rsp
    pop %r11
    pop %r10
    pop %r9
    pop %r8
    pop %rsi
    pop %rdx
    pop %rcx
    pop %rax
    pop %rdi
    pop %rbp
    iretq
    .size interrupt_entry, . - interrupt_entry

/* Builds a struct exception_frame. */
    .type exception_entry, @function
exception_entry:
    push %rax
    push %rbx
    push %rcx
    push %rdx
    push %rsi
    push %rdi
    push %rbp
    push %r8
    push %r9
    push %r10
    push %r11
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, %rdi
    cld
    call exception_handle
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %r11
    pop %r10
    pop %r9
    pop %r8
    pop %rbp
    pop %rdi
    pop %rsi
    pop %rdx
    pop %rcx
    pop %rbx
    pop %rax
    add $16, %rsp
    iretq
    .size exception_entry, . - exception_entry

    .section .note.GNU-stack, "", @progbits
