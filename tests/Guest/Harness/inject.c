/* inject THREAD NUMBER [ARGUMENT…]: has a thread of another process that waits in a system call make another one in its place.
 * inject THREAD fault: has it go on where there is no code. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>

int main(int argc, char **argv) {
    pid_t thread = atoi(argv[1]);
    int status;
    struct user_regs_struct registers;
    if (ptrace(PTRACE_SEIZE, thread, 0, 0) || ptrace(PTRACE_INTERRUPT, thread, 0, 0) || waitpid(thread, &status, __WALL) != thread ||
        ptrace(PTRACE_GETREGS, thread, 0, &registers)) {
        perror("inject");
        return 1;
    }
    long a[4] = { 0 };
    for (int i = 2; i < argc && i < 6; i++)
        a[i - 2] = strtoul(argv[i], 0, 0);
    registers.rip = strcmp(argv[2], "fault") ? registers.rip - 2 : 8; /* back to the instruction of the call that was interrupted, */
    registers.orig_rax = -1;   /* which isn't made again by itself */
    registers.rax = a[0];
    registers.rdi = a[1];
    registers.rsi = a[2];
    registers.rdx = a[3];
    if (ptrace(PTRACE_SETREGS, thread, 0, &registers) || ptrace(PTRACE_DETACH, thread, 0, 0)) {
        perror("inject");
        return 1;
    }
    return 0;
}
