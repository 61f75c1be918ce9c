# Handler of SIGSYS: writes which call the seccomp filter forbids, and ends the process. No managed code, no stack but its own frame.
# NativeStubs.ReportForbiddenCall places it, with the descriptor to write to as 32 bits behind it; SeccompStubTests assembles this
# file and compares. rdi: the signal, rsi: siginfo_t*, rdx: ucontext_t* (x86-64: gregs r8…r15, rdi, rsi, rbp, rbx, rdx … from byte 40).
        .intel_syntax noprefix
        cmp     dword ptr [rsi+8], 1            # si_code: SYS_SECCOMP; else somebody sent the signal
        jne     quit
        mov     r12, rsi
        mov     r13, rdx
        sub     rsp, 640
        mov     edi, 0                          # clock_gettime(CLOCK_REALTIME)
        mov     rsi, rsp
        mov     eax, 228
        syscall
        mov     edi, 16                         # prctl(PR_GET_NAME)
        lea     rsi, [rsp+16]
        xor     edx, edx
        mov     eax, 157
        syscall
        lea     rdi, [rsp+64]                   # from here on: where the next byte of the line goes
        mov     r9d, 10
        mov     al, '@'
        stosb
        mov     rax, [rsp]
        call    number
        lea     rsi, [rip+text1]
        mov     ecx, offset text2-text1
        rep     movsb
        mov     eax, [r12+24]                   # si_syscall
        call    number
        lea     rsi, [rip+text2]
        mov     ecx, offset text3-text2
        rep     movsb
        mov     r9d, 16
        mov     rax, [r13+104]                  # rdi, rsi, rdx: the first three arguments
        call    number
        lea     rsi, [rip+text3]
        mov     ecx, offset text4-text3
        rep     movsb
        mov     rax, [r13+112]
        call    number
        lea     rsi, [rip+text3]
        mov     ecx, offset text4-text3
        rep     movsb
        mov     rax, [r13+136]
        call    number
        lea     rsi, [rip+text4]
        mov     ecx, offset text5-text4
        rep     movsb
        lea     rsi, [rsp+16]
        mov     ecx, 16
name:   lodsb
        test    al, al
        jz      named
        stosb
        loop    name
named:  lea     rsi, [rip+text5]
        mov     ecx, offset end-text5
        rep     movsb
        lea     rsi, [rsp+64]
        mov     rdx, rdi
        sub     rdx, rsi
        mov     edi, [rip+end]
        mov     eax, 1                          # write
        syscall
quit:   mov     edi, 31                         # EngineExit.Forbidden
        mov     eax, 231                        # exit_group
        syscall

# The number in rax, to the base in r9d.
number: xor     ecx, ecx
digit:  xor     edx, edx
        div     r9
        cmp     edx, 10
        jb      store
        add     edx, 'a'-'0'-10
store:  add     edx, '0'
        push    rdx
        inc     ecx
        test    rax, rax
        jnz     digit
put:    pop     rax
        stosb
        loop    put
        ret

text1:  .ascii  " error seccomp: the system call "
text2:  .ascii  " (0x"
text3:  .ascii  ", 0x"
text4:  .ascii  ") is not allowed to thread '"
text5:  .ascii  "'; docs/security.md tells what is, and -disable-seccomp allows all\n"
end:
