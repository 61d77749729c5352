/*
 * The way into the guest and back. From the moment the guest's registers are loaded there is
 * nothing left but RSP, and after the exit RSP is what HOST_RSP says: the same stack, at the same
 * depth, with the address of the vCPU on top.
 */
#include "vmx/entry.h"

/* The vCPU begins with its registers, by enum gpr. */
#define RAX 0
#define RCX 8
#define RDX 16
#define RBX 24
#define RBP 40
#define RSI 48
#define RDI 56
#define R8  64
#define R9  72
#define R10 80
#define R11 88
#define R12 96
#define R13 104
#define R14 112
#define R15 120

    .text
    .code64

/* struct virt_vcpu *vmx_enter_guest(struct virt_vcpu *vcpu, uint64_t *host_rsp) */
    .globl vmx_enter_guest
    .type vmx_enter_guest, @function
    .balign 64
vmx_enter_guest:
    push %rbp
    push %rbx
    push %r12
    push %r13
    push %r14
    push %r15
    push %rdi
    cmp %rsp, (%rsi)
    jne .Lset_host_rsp
.Lload:
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
    pop %rdi
    xor %eax, %eax
    jmp .Lreturn

/* Rare: the caller runs at another stack depth, or the vCPU on another CPU, than the last time. */
.Lset_host_rsp:
    mov $ENTRY_HOST_RSP_FIELD, %eax
    vmwrite %rsp, %rax
    jbe .Lno_such_field
    mov %rsp, (%rsi)
    jmp .Lload
.Lno_such_field:
    ud2

    .globl vmx_exit_point
    .balign 64
vmx_exit_point:
    push %rdi
    mov 8(%rsp), %rdi
    mov %rax, RAX(%rdi)
    mov %rcx, RCX(%rdi)
    mov %rdx, RDX(%rdi)
    mov %rbx, RBX(%rdi)
    mov %rbp, RBP(%rdi)
    mov %rsi, RSI(%rdi)
    mov %r8, R8(%rdi)
    mov %r9, R9(%rdi)
    mov %r10, R10(%rdi)
    mov %r11, R11(%rdi)
    mov %r12, R12(%rdi)
    mov %r13, R13(%rdi)
    mov %r14, R14(%rdi)
    mov %r15, R15(%rdi)
    pop RDI(%rdi)
    pop %rax
.Lreturn:
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbx
    pop %rbp
    ret
    .size vmx_enter_guest, . - vmx_enter_guest

    .section .note.GNU-stack, "", @progbits
