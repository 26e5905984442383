/* SPDX-License-Identifier: MIT */
/* Many tasks on one datagram socket, and cancels that hit anywhere: what was sent is received once, a
 * cancelled call has neither sent nor taken anything. Loopback loses no datagram as long as the
 * receiver's buffer has room, so only so many are on their way at a time. */
#include "net_test.h"

#define ON_THEIR_WAY 32

static int64_t short_while(uint64_t *random)
{
    return (int64_t)(test_rand(random) % 4 == 0 ? test_rand(random) % 1000
                                                : test_rand(random) % 60000);
}

typedef struct storm {
    edo_udp *from, *to;
    edo_address at;
    edo_sem room;   /* for datagrams on their way */
    uint32_t count; /* of each sender */
    uint32_t senders;
    uint32_t next;     /* atomic: number of the next sender */
    uint32_t received; /* atomic */
    uint8_t *seen;     /* atomic: how often each was received */
    uint64_t seed;
    uint64_t cancelled; /* atomic */
    bool many;
} storm;

static void storm_open(storm *s, uint32_t senders, uint32_t count)
{
    *s = (storm){ .count = count, .senders = senders, .seed = test_seed() };
    CHECK_OK(edo_udp_bind(&s->from, "127.0.0.1:0", NULL));
    CHECK_OK(edo_udp_bind(&s->to, "127.0.0.1:0", NULL));
    CHECK_OK(edo_socket_local(edo_udp_fd(s->to), &s->at));
    edo_sem_init(&s->room, ON_THEIR_WAY);
    s->seen = calloc(senders, count);
    CHECK(s->seen != NULL);
}

static void storm_close(storm *s)
{
    for (uint32_t i = 0; i < s->senders * s->count; i++)
        CHECK_INT(s->seen[i], ==, 1);
    edo_udp_close(s->from);
    edo_udp_close(s->to);
    free(s->seen);
    CHECK_INT(known_fds(), ==, 0);
}

/* Each number once; under deadlines, where a call that was cut off is made again. */
static int sends(void *arg)
{
    storm *s = arg;
    uint32_t me = __atomic_fetch_add(&s->next, 1, __ATOMIC_RELAXED);
    uint64_t random = s->seed ^ me;
    for (uint32_t i = 0; i < s->count; i++) {
        uint32_t number = me * s->count + i;
        int rc = edo_sem_acquire(&s->room, 1);
        if (rc < 0)
            return rc;
        for (rc = -ETIMEDOUT; rc == -ETIMEDOUT;) {
            edo_scope scope;
            edo_scope_open(&scope, short_while(&random));
            rc = (int)edo_udp_send_to(s->from, &number, sizeof number, &s->at);
            rc = edo_scope_close(&scope, rc);
        }
        CHECK_INT(rc, ==, sizeof number);
    }
    return 0;
}

static void took(storm *s, uint32_t number)
{
    CHECK_UINT(number, <, s->senders * s->count);
    __atomic_fetch_add(&s->seen[number], 1, __ATOMIC_RELAXED);
    edo_sem_release(&s->room, 1);
}

static int receive_some(storm *s, uint32_t *numbers)
{
    if (!s->many) {
        int n = (int)edo_udp_recv(s->to, numbers, sizeof *numbers);
        return n < 0 ? n : n == sizeof *numbers ? 1 : -EPROTO;
    }
    edo_datagram list[8];
    for (int i = 0; i < 8; i++)
        list[i] = (edo_datagram){ .data = &numbers[i], .size = sizeof numbers[i] };
    return edo_udp_recv_many(s->to, list, 8);
}

static int receives(void *arg)
{
    storm *s = arg;
    uint64_t random = s->seed ^ edo_task_id() << 20;
    for (;;) {
        uint32_t numbers[8];
        edo_scope scope;
        edo_scope_open(&scope, short_while(&random));
        int n = receive_some(s, numbers);
        n = edo_scope_close(&scope, n);
        if (n == -ETIMEDOUT) {
            __atomic_fetch_add(&s->cancelled, 1, __ATOMIC_RELAXED);
            continue;
        }
        if (n < 0)
            return n;
        for (int i = 0; i < n; i++)
            took(s, numbers[i]);
        __atomic_fetch_add(&s->received, (uint32_t)n, __ATOMIC_RELAXED);
    }
}

static int storm_body(void *arg)
{
    unsigned receivers = *(unsigned *)arg & 15;
    storm s;
    storm_open(&s, 4, test_scale(2000));
    s.many = (*(unsigned *)arg & 16) != 0;
    edo_group in, out;
    edo_group_open(&in, &(edo_group_options){ .keep_going = true });
    edo_group_open(&out, NULL);
    for (unsigned i = 0; i < receivers; i++)
        CHECK_OK(edo_spawn(&in, receives, &s));
    for (unsigned i = 0; i < s.senders; i++)
        CHECK_OK(edo_spawn(&out, sends, &s));
    CHECK_OK(edo_group_close(&out));
    CHECK_OK(edo_sem_acquire(&s.room, ON_THEIR_WAY)); /* all have arrived */
    edo_group_cancel(&in);
    (void)edo_group_close(&in);
    CHECK_UINT(s.received, ==, s.senders * s.count);
    storm_close(&s);
    return 0;
}

TEST_TIMEOUT(each_once, 120)
{
    for (unsigned how = 0; how < 2; how++)
        for (unsigned receivers = 1; receivers <= 4; receivers += 3) {
            unsigned arg = receivers | how << 4;
            run_on(1, storm_body, &arg);
            run_on(3, storm_body, &arg);
        }
}

/* One datagram for each of several that wait: none sleeps on while there is one. */
static int takes_one(void *arg)
{
    uint32_t number;
    return edo_udp_recv(arg, &number, sizeof number) == sizeof number ? 0 : -EPROTO;
}

static int handed_round_body(void *arg)
{
    (void)arg;
    storm s;
    storm_open(&s, 1, 1);
    for (unsigned round = 0; round < test_scale(200); round++) {
        edo_group g;
        edo_group_open(&g, NULL);
        for (unsigned i = 0; i < 8; i++)
            CHECK_OK(edo_spawn(&g, takes_one, s.to));
        if (round % 2 == 0)
            CHECK_OK(edo_yield());
        for (unsigned i = 0; i < 8; i++)
            CHECK_INT(edo_udp_send_to(s.from, &i, sizeof i, &s.at), ==, sizeof i);
        CHECK_OK(edo_group_close(&g));
    }
    s.seen[0] = 1;
    storm_close(&s);
    return 0;
}

TEST_TIMEOUT(one_for_each, 60)
{
    run_on(1, handed_round_body, NULL);
    run_on(3, handed_round_body, NULL);
}

/* Ready or not: under a cancelled scope nothing has an effect. */
static int cancelled_body(void *arg)
{
    (void)arg;
    storm s;
    storm_open(&s, 1, 1);
    char buf[8];
    edo_udp *none;
    edo_datagram one = { .data = buf, .size = 4, .address = &s.at };
    CHECK_INT(edo_udp_send_to(s.from, "data", 4, &s.at), ==, 4);
    edo_scope scope;
    edo_scope_open(&scope, EDO_FOREVER);
    edo_scope_cancel(&scope);
    CHECK_INT(edo_udp_recv(s.to, buf, sizeof buf), ==, -ECANCELED);
    CHECK_INT(edo_udp_peek_from(s.to, buf, sizeof buf, NULL), ==, -ECANCELED);
    CHECK_INT(edo_udp_recv_many(s.to, &one, 1), ==, -ECANCELED);
    CHECK_INT(edo_udp_send_to(s.from, "not", 3, &s.at), ==, -ECANCELED);
    CHECK_INT(edo_udp_send_many(s.from, &one, 1), ==, -ECANCELED);
    CHECK_INT(edo_udp_bind(&none, "127.0.0.1:0", NULL), ==, -ECANCELED);
    CHECK_INT(edo_udp_connect(&none, "127.0.0.1:1", NULL), ==, -ECANCELED);
    CHECK_INT(edo_udp_recv_nowait(s.to, buf, sizeof buf, NULL), ==, 4); /* is no checkpoint */
    CHECK_INT(edo_udp_recv_nowait(s.to, buf, sizeof buf, NULL), ==, -EAGAIN);
    CHECK_INT(edo_scope_close(&scope, 0), ==, -ECANCELED);
    s.seen[0] = 1;
    storm_close(&s);
    return 0;
}

TEST(cancelled_calls_have_no_effect)
{
    run_on(1, cancelled_body, NULL);
}

TEST_MAIN()
