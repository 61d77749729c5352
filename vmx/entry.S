/*
 * The way into the guest and back. From the moment the guest's registers are loaded there is
 * nothing left but RSP; after the exit RSP is what HOST_RSP says, the address of the vCPU, and the
 * registers go there. Until the stack is back nothing may push: interrupts are off, and what can
 * come all the same, NMIs and machine checks, has stacks of its own (TSS).
 */
#include "vmx/entry.h"

/* The vCPU begins with its registers, by enum gpr. */
#define RAX      0
#define RCX      8
#define RDX      16
#define RBX      24
#define HOST_RSP 32
#define RBP      40
#define RSI      48
#define RDI      56
#define R8       64
#define R9       72
#define R10      80
#define R11      88
#define R12      96
#define R13      104
#define R14      112
#define R15      120

/* From the stack pointer that waits there up to the saved RBP. */
#define FRAME 48

    .text
    .code64

/* bool vmx_run_guest(struct virt_vcpu *vcpu) */
    .globl vmx_run_guest
    .type vmx_run_guest, @function
    .balign 64
vmx_run_guest:
    push %rbp
    push %rbx
    push %r12
    push %r13
    push %r14
    push %r15
    lea .Lleft(%rip), %rax      /* where vmx_exited returns to */
    push %rax
    mov %rsp, HOST_RSP(%rdi)

/* void vmx_enter_guest(struct virt_vcpu *vcpu) */
    .globl vmx_enter_guest
    .type vmx_enter_guest, @function
vmx_enter_guest:
    mov RAX(%rdi), %rax
    mov RCX(%rdi), %rcx
    mov RDX(%rdi), %rdx
    mov RBX(%rdi), %rbx
    mov RBP(%rdi), %rbp
    mov RSI(%rdi), %rsi
    mov R8(%rdi), %r8
    mov R9(%rdi), %r9
    mov R10(%rdi), %r10
    mov R11(%rdi), %r11
    mov R12(%rdi), %r12
    mov R13(%rdi), %r13
    mov R14(%rdi), %r14
    mov R15(%rdi), %r15
    mov RDI(%rdi), %rdi
    vmresume

    /* Refused. The first entry since the VMCS was cleared is VMLAUNCH's (SDM vol. 3, 25.1). */
    push %rax
    mov $ENTRY_INSTRUCTION_ERROR_FIELD, %eax
    vmread %rax, %rax
    cmp $ENTRY_ERROR_NOT_LAUNCHED, %eax
    pop %rax
    jne .Lrefused
    vmlaunch
.Lrefused:
    mov $ENTRY_HOST_RSP_FIELD, %eax
    vmread %rax, %rax           /* the vCPU */
    mov HOST_RSP(%rax), %rsp
    pop %rax
    xor %eax, %eax
    jmp .Lreturn
    .size vmx_enter_guest, . - vmx_enter_guest

    .globl vmx_exit_point
    .balign 64
vmx_exit_point:
    mov %rax, RAX(%rsp)
    mov %rcx, RCX(%rsp)
    mov %rdx, RDX(%rsp)
    mov %rbx, RBX(%rsp)
    mov %rbp, RBP(%rsp)
    mov %rsi, RSI(%rsp)
    mov %rdi, RDI(%rsp)
    mov %r8, R8(%rsp)
    mov %r9, R9(%rsp)
    mov %r10, R10(%rsp)
    mov %r11, R11(%rsp)
    mov %r12, R12(%rsp)
    mov %r13, R13(%rsp)
    mov %r14, R14(%rsp)
    mov %r15, R15(%rsp)
    mov %rsp, %rdi
    mov HOST_RSP(%rsp), %rsp
    lea FRAME(%rsp), %rbp       /* the chain of frames goes on, for backtraces */
    jmp vmx_exited
.Lleft:
    mov $1, %eax
.Lreturn:
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbx
    pop %rbp
    ret
    .size vmx_run_guest, . - vmx_run_guest

    .section .note.GNU-stack, "", @progbits
