/*
 * memcpy, memmove and memset. Assembly, because the compiler turns a C loop that copies into a call
 * of memcpy, and because the string instructions are the shortest way on real CPUs (fast strings)
 * and under emulators alike.
 *
 * Sizes from 8 up are moved as whole quadwords, with the odd end covered by one quadword that
 * overlaps its neighbour.
 */
    .text

    .globl memmove
    .type memmove, @function
memmove:
    mov %rdi, %rax
    mov %rdi, %rcx
    sub %rsi, %rcx
    cmp %rdx, %rcx /* unsigned: below only if `to` lies inside [from, from + size) */
    jae memcpy
    cmp $8, %rdx
    jb .Lmove_backward_bytes
    mov (%rsi), %r8
    mov %rdx, %rcx
    shr $3, %rcx
    lea -8(%rsi,%rdx), %rsi
    lea -8(%rdi,%rdx), %rdi
    std
    rep movsq
    cld
    mov %r8, (%rax)
    ret
.Lmove_backward_bytes:
    test %rdx, %rdx
    jz 2f
1:  mov -1(%rsi,%rdx), %cl
    mov %cl, -1(%rdi,%rdx)
    dec %rdx
    jnz 1b
2:  ret
    .size memmove, . - memmove

/* Copies upwards: right for any `to` that is not inside (from, from + size). */
    .globl memcpy
    .type memcpy, @function
memcpy:
    mov %rdi, %rax
    cmp $8, %rdx
    jb .Lcopy_bytes
    mov -8(%rsi,%rdx), %r8
    lea -8(%rdi,%rdx), %r9
    mov %rdx, %rcx
    shr $3, %rcx
    rep movsq
    mov %r8, (%r9)
    ret
.Lcopy_bytes:
    xor %ecx, %ecx
    test %rdx, %rdx
    jz 2f
1:  mov (%rsi,%rcx), %r8b
    mov %r8b, (%rdi,%rcx)
    inc %rcx
    cmp %rdx, %rcx
    jb 1b
2:  ret
    .size memcpy, . - memcpy

    .globl memset
    .type memset, @function
memset:
    mov %rdi, %r8
    movzbl %sil, %eax
    movabs $0x0101010101010101, %rcx
    imul %rcx, %rax
    cmp $8, %rdx
    jb .Lset_bytes
    mov %rax, -8(%rdi,%rdx)
    mov %rdx, %rcx
    shr $3, %rcx
    rep stosq
    mov %r8, %rax
    ret
.Lset_bytes:
    mov %rdx, %rcx
    rep stosb
    mov %r8, %rax
    ret
    .size memset, . - memset

    .section .note.GNU-stack, "", @progbits
