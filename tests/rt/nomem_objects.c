/* SPDX-License-Identifier: MIT */
/* Channels, broadcast, watch, delay queue, writer and sockets with every allocation failing once, see
 * nomem.h. What was refused says -ENOMEM, is as it was before, and goes on when there is memory. */
#include "nomem.h"

#include <sys/socket.h>
#include <unistd.h>

static int attempt(edo_fn *fn)
{
    int rc = edo_run(&(edo_config){ .workers = 1 }, fn, NULL);
    CHECK(rc == 0 || refused(rc));
    return rc;
}

/* ---- channels ---- */

static int channels(void *arg)
{
    (void)arg;
    edo_chan *c;
    uint64_t v = 1, out[64];
    if (refused(edo_chan_create(&c, sizeof v, EDO_UNBOUNDED)))
        return 0;
    int sent = 0, got = 0;
    for (int i = 0; i < 1200; i++)
        sent += !refused(edo_chan_send(c, &v));
    for (int n; (n = edo_chan_recv_many_nowait(c, out, 64)) > 0;)
        got += n;
    CHECK_INT(got, ==, sent);
    edo_chan_unref(c);
    return 0;
}

static int attempt_channels(void)
{
    return attempt(channels);
}

TEST(channels_without_memory)
{
    needs_own_malloc();
    fail_each(attempt_channels);
}

static int published(void *arg)
{
    (void)arg;
    uint64_t v = 2, out;
    edo_broadcast *b;
    if (!refused(edo_broadcast_create(&b, sizeof v, 16))) {
        edo_broadcast_rx rx;
        edo_broadcast_subscribe(b, &rx);
        CHECK_INT(edo_broadcast_send(b, &v), ==, 1);
        CHECK_INT(edo_broadcast_recv_nowait(&rx, &out), ==, 0);
        edo_broadcast_unsubscribe(&rx);
        edo_broadcast_unref(b);
    }
    edo_watch *w;
    if (!refused(edo_watch_create(&w, sizeof v, &v))) {
        edo_watch_rx rx;
        edo_watch_subscribe(w, &rx);
        CHECK_OK(edo_watch_send(w, &v));
        CHECK_INT(edo_watch_changed_nowait(&rx), ==, 0);
        edo_watch_unsubscribe(&rx);
        edo_watch_unref(w);
    }
    return 0;
}

static int attempt_published(void)
{
    return attempt(published);
}

TEST(broadcast_and_watch_without_memory)
{
    needs_own_malloc();
    fail_each(attempt_published);
}

/* ---- time ---- */

static int delayed(void *arg)
{
    (void)arg;
    edo_delayqueue q;
    edo_delayqueue_init(&q);
    int inside = 0, out = 0;
    for (int i = 0; i < 3000; i++)
        inside += !refused(edo_delayqueue_insert(&q, i % 2 == 0 ? 0 : EDO_SEC(100), NULL, NULL));
    CHECK_UINT(edo_delayqueue_len(&q), ==, (unsigned)inside);
    edo_delay d;
    while (edo_delayqueue_pop(&q, &d) == 0)
        out++;
    CHECK_INT(out, ==, inside);
    edo_delayqueue_deinit(&q);
    return 0;
}

static int attempt_delayed(void)
{
    return attempt(delayed);
}

TEST(delay_queue_without_memory)
{
    needs_own_malloc();
    fail_each(attempt_delayed);
}

/* ---- streams ---- */

static int written(void *arg)
{
    (void)arg;
    edo_writer w;
    edo_writer_init_memory(&w, 1 << 20);
    size_t expected = 0;
    for (int i = 0; i < 2000; i++)
        expected += !refused(edo_writer_u32be(&w, (uint32_t)i)) ? 4 : 0;
    size_t len;
    (void)edo_writer_data(&w, &len);
    CHECK_UINT(len, ==, expected);
    edo_writer_deinit(&w);
    return 0;
}

static int attempt_written(void)
{
    return attempt(written);
}

TEST(writer_without_memory)
{
    needs_own_malloc();
    fail_each(attempt_written);
}

static int connected(void *arg)
{
    edo_listener *l = arg;
    char address[32];
    snprintf(address, sizeof address, "127.0.0.1:%u", edo_listener_port(l));
    edo_stream *s, *peer;
    if (refused(edo_tcp_connect(&s, address, NULL)))
        return 0;
    /* Refused, the connection stays in the kernel's queue and is there the next time. */
    int rc = edo_accept(l, &peer);
    if (refused(rc))
        rc = edo_accept(l, &peer);
    CHECK_OK(rc);
    char c = 0;
    CHECK_INT(edo_write(s, "x", 1), ==, 1);
    CHECK_INT(edo_read(peer, &c, 1), ==, 1);
    edo_close(peer);
    edo_close(s);
    return 0;
}

static int sockets(void *arg)
{
    (void)arg;
    edo_listener *l;
    if (!refused(edo_tcp_listen(&l, "127.0.0.1:0", NULL))) {
        CHECK_OK(connected(l));
        edo_listener_close(l);
    }
    int fd[2];
    CHECK_INT(socketpair(AF_UNIX, SOCK_STREAM, 0, fd), ==, 0);
    edo_stream *s;
    if (refused(edo_stream_from_fd(&s, fd[0])))
        close(fd[0]); /* it stayed the caller's */
    else
        edo_close(s);
    close(fd[1]);
    return 0;
}

static int attempt_sockets(void)
{
    int before = dup(0);
    close(before);
    int rc = attempt(sockets);
    int after = dup(0);
    close(after);
    CHECK_INT(after, ==, before); /* no descriptor was left behind */
    return rc;
}

TEST(sockets_without_memory)
{
    needs_own_malloc();
    fail_each(attempt_sockets);
}

TEST_MAIN()
