/* SPDX-License-Identifier: MIT */
/* Channels when memory runs out: every allocation in turn fails. What a failed call leaves behind
 * is what was there before. */
#include "countdown.h"
#include "storm.h"

#include <stdlib.h>

#if OWN_MALLOC
TEST(create_without_memory)
{
    edo_chan *c = NULL;
    countdown = 1;
    CHECK_INT(edo_chan_create(&c, 8, 4), ==, -ENOMEM);
    CHECK_INT(countdown, ==, 0);
    CHECK_PTR(c, ==, NULL);
    edo_broadcast *b = NULL;
    countdown = 1;
    CHECK_INT(edo_broadcast_create(&b, 8, 4), ==, -ENOMEM);
    CHECK_PTR(b, ==, NULL);
    edo_watch *w = NULL;
    countdown = 1;
    CHECK_INT(edo_watch_create(&w, 8, NULL), ==, -ENOMEM);
    CHECK_PTR(w, ==, NULL);
}

/* What was sent before the memory ran out is counted and inside; the rest can be sent later. */
TEST(send_many_without_memory)
{
    static uint64_t in[3000], out[3000];
    edo_chan *c;
    for (uint64_t i = 0; i < 3000; i++)
        in[i] = i;
    for (int n = 1; n <= 5; n++) {
        CHECK_OK(edo_chan_create(&c, sizeof *in, EDO_UNBOUNDED));
        CHECK_OK(edo_yield());
        countdown = n;
        int sent =
            n == 1 ? edo_chan_send_many(c, in, 3000) : edo_chan_send_many_nowait(c, in, 3000);
        CHECK_INT(countdown, ==, 0);
        if (n == 1)
            CHECK_INT(sent, ==, -ENOMEM);
        else
            CHECK_INT(sent, ==, (n - 1) * 504);
        int before = sent > 0 ? sent : 0;
        CHECK_INT(edo_chan_send_many(c, in + before, 3000u - (unsigned)before), ==, 3000 - before);
        CHECK_INT(edo_chan_recv_many(c, out, 3000), ==, 3000);
        CHECK_MEM(out, in, sizeof in);
        edo_chan_unref(c);
    }
}

/* Sends until the n-th allocation has failed, then lets it succeed: nothing is lost or doubled. */
static void fail_nth(int n, int how)
{
    uint64_t sent = 0, v;
    edo_chan *c;
    CHECK_OK(edo_chan_create(&c, sizeof sent, EDO_UNBOUNDED));
    edo_case one[] = { EDO_SEND(c, &sent) };
    CHECK_OK(edo_yield()); /* this thread's stand-in is allocated by now */
    countdown = n;
    for (int failures = 0; failures == 0 || sent < 6000; sent++) {
        int rc = how == 0 ? edo_chan_send(c, &sent) : edo_chan_send_nowait(c, &sent);
        if (how == 2 && rc == 0) {
            sent++;
            CHECK_INT(edo_select(one, 1), ==, 0);
            rc = one[0].result;
        }
        if (rc == -ENOMEM) {
            CHECK_INT(failures++, ==, 0);
            CHECK_INT(countdown, ==, 0);
            sent--; /* the same again */
            continue;
        }
        CHECK_INT(rc, ==, 0);
        CHECK_INT(sent, <, 100000);
    }
    CHECK_UINT(edo_chan_len(c), ==, sent);
    for (uint64_t i = 0; i < sent; i++) {
        CHECK_INT(edo_chan_recv_nowait(c, &v), ==, 0);
        CHECK_UINT(v, ==, i);
    }
    CHECK_INT(edo_chan_recv_nowait(c, &v), ==, -EAGAIN);
    edo_chan_unref(c);
}

TEST(unbounded_without_memory)
{
    for (int n = 1; n <= 5; n++)
        for (int how = 0; how < 3; how++)
            fail_nth(n, how);
}
#else
TEST(unbounded_without_memory)
{
    SKIP("a sanitizer or another C library allocates");
}
#endif

TEST_MAIN()
