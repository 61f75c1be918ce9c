/* seccomp-call FILTER STUB THREAD-NAME NUMBER [ARGUMENT…]: makes one system call under a filter of the engine's, with the engine's
 * handler of SIGSYS. Writes what the call returned; exits with 0 where the filter lets it. The number -1 stands for malloc and free. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static long load(const char *path, void *room, size_t size) {
    int fd = open(path, O_RDONLY);
    long count = read(fd, room, size);
    close(fd);
    return count;
}

/* Fills the heap, gives most of it back, and fills it again; how many blocks weren't what was written into them. */
static long heap(void) {
    static char *blocks[4096];
    long wrong = 0;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 4096; i++) {
            size_t size = 16 + i * 37 % 20000;
            if (!(blocks[i] = malloc(size)))
                return -1;
            memset(blocks[i], i, size);
        }
        for (int i = 4095; i >= 0; i--) {
            size_t size = 16 + i * 37 % 20000;
            for (size_t at = 0; at < size; at++)
                if (blocks[i][at] != (char)i) {
                    wrong++;
                    break;
                }
            free(blocks[i]);
        }
    }
    return wrong;
}

int main(int argc, char **argv) {
    static struct sock_filter filter[4096];
    struct sock_fprog program = { load(argv[1], filter, sizeof filter) / sizeof *filter, filter };
    void *stub = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    load(argv[2], stub, 4096);
    struct sigaction action = { .sa_sigaction = stub, .sa_flags = SA_SIGINFO | SA_ONSTACK };
    sigfillset(&action.sa_mask);
    sigaction(SIGSYS, &action, 0);
    prctl(PR_SET_NAME, argv[3], 0, 0, 0);
    long a[7] = { 0 };
    for (int i = 4; i < argc && i < 11; i++)
        a[i - 4] = strtoul(argv[i], 0, 0);
    char text[64];
    free(malloc(100000)); /* the heap is there, by brk */
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
        return 99;
    long result = a[0] == -1 ? heap() : syscall(a[0], a[1], a[2], a[3], a[4], a[5], a[6]);
    int length = snprintf(text, sizeof text, "%ld %d\n", result, result < 0 ? errno : 0);
    syscall(SYS_write, 1, text, (long)length);
    syscall(SYS_exit_group, 0L);
}
