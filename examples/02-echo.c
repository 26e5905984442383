/* SPDX-License-Identifier: MIT */
/* An echo server, and clients that talk to it: each connection is a task that reads top to bottom.
 *
 *     02-echo                 server and three clients, then done
 *     02-echo 127.0.0.1:7000  a server for ever; try it with nc */
#include <edo/edo.h>

#include <stdio.h>
#include <string.h>

static int echo(void *arg)
{
    edo_stream *s = arg;
    char buf[512];
    ssize_t n;
    while ((n = edo_read(s, buf, sizeof buf)) > 0) {
        n = edo_write(s, buf, (size_t)n);
        if (n < 0)
            break;
    }
    edo_close(s);
    return (int)n;
}

/* A connection that fails takes nobody down; when serve() is cancelled, so are all connections. */
static int serve(void *arg)
{
    edo_group connections;
    edo_group_open(&connections, &(edo_group_options){ .keep_going = true, .discard = true });
    edo_stream *s;
    int rc;
    while ((rc = edo_accept(arg, &s)) == 0) {
        rc = edo_spawn(&connections, echo, s);
        if (rc < 0) {
            edo_close(s);
            break;
        }
    }
    edo_group_cancel(&connections);
    (void)edo_group_close(&connections);
    return rc;
}

static int say_hello(void *address)
{
    edo_stream *s;
    int rc = edo_tcp_connect(&s, address, NULL);
    if (rc < 0)
        return rc;
    char line[64], back[64];
    int len =
        snprintf(line, sizeof line, "hello from task %llu", (unsigned long long)edo_task_id());
    ssize_t n = edo_write(s, line, (size_t)len);
    if (n > 0)
        n = edo_read_full(s, back, (size_t)n);
    if (n > 0)
        printf("echoed: %.*s\n", (int)n, back);
    edo_close(s);
    return n < 0 ? (int)n : 0;
}

static int demo(void *arg)
{
    const char *at = arg;
    edo_listener *l;
    int rc = edo_tcp_listen(&l, at != NULL ? at : "127.0.0.1:0", NULL);
    if (rc < 0) {
        fprintf(stderr, "listen: %s\n", edo_strerror(rc));
        return rc;
    }
    printf("listening on port %u\n", edo_listener_port(l));
    if (at != NULL) {
        rc = serve(l);
        edo_listener_close(l);
        return rc;
    }

    char address[32];
    snprintf(address, sizeof address, "127.0.0.1:%u", edo_listener_port(l));
    edo_group server, clients;
    edo_group_open(&server, NULL);
    rc = edo_spawn(&server, serve, l);
    edo_group_open(&clients, NULL);
    for (int i = 0; i < 3 && rc == 0; i++)
        rc = edo_spawn(&clients, say_hello, address);
    int clients_rc = edo_group_close(&clients); /* waits until all three are done */
    edo_group_cancel(&server);
    (void)edo_group_close(&server);
    edo_listener_close(l);
    return rc < 0 ? rc : clients_rc;
}

int main(int argc, char **argv)
{
    return edo_run(NULL, demo, argc > 1 ? argv[1] : NULL) < 0;
}
