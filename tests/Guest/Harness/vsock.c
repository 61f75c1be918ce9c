/* Sockets between host and guest for the tests, on either side.
 *   vsock echo PORT          says "listening", and gives back what each connection sends, until it is ended
 *   vsock send CID PORT N    sends N bytes, reads them back, compares; says "N bytes" */
#include <linux/vm_sockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static char out[65536], in[65536];

static void fill(char *to, long at, long n)
{
    for (long i = 0; i < n; i++)
        to[i] = (char)((at + i) * 2654435761u >> 16);
}

static void check(int ok, const char *what)
{
    if (!ok) {
        perror(what);
        exit(1);
    }
}

static void echo(int port)
{
    struct sockaddr_vm address = { .svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = port };
    int listener = socket(AF_VSOCK, SOCK_STREAM, 0);
    check(listener >= 0, "socket");
    check(bind(listener, (struct sockaddr *)&address, sizeof address) == 0, "bind");
    check(listen(listener, 4) == 0, "listen");
    puts("listening");
    fflush(stdout);
    for (;;) {
        int peer = accept(listener, NULL, NULL);
        check(peer >= 0, "accept");
        for (ssize_t n; (n = read(peer, in, sizeof in)) > 0;)
            for (ssize_t done = 0, m; done < n; done += m)
                check((m = write(peer, in + done, n - done)) > 0, "write");
        close(peer);
    }
}

static int send_to(unsigned cid, int port, long total)
{
    struct sockaddr_vm address = { .svm_family = AF_VSOCK, .svm_cid = cid, .svm_port = port };
    int peer = socket(AF_VSOCK, SOCK_STREAM, 0);
    check(peer >= 0, "socket");
    check(connect(peer, (struct sockaddr *)&address, sizeof address) == 0, "connect");
    for (long at = 0; at < total;) {
        long n = total - at < (long)sizeof out ? total - at : (long)sizeof out;
        fill(out, at, n);
        for (long done = 0, m; done < n; done += m)
            check((m = write(peer, out + done, n - done)) > 0, "write");
        for (long done = 0, m; done < n; done += m)
            check((m = read(peer, in + done, n - done)) > 0, "read");
        check(memcmp(in, out, n) == 0, "what came back");
        at += n;
    }
    printf("%ld bytes\n", total);
    return 0;
}

int main(int count, char **word)
{
    if (count == 3 && strcmp(word[1], "echo") == 0)
        echo(atoi(word[2]));
    if (count == 5 && strcmp(word[1], "send") == 0)
        return send_to(strtoul(word[2], NULL, 10), atoi(word[3]), atol(word[4]));
    fputs("vsock echo PORT | vsock send CID PORT N\n", stderr);
    return 2;
}
