/* SPDX-License-Identifier: MIT */
/* Every call that waits, cancelled in every way: before it begins, while it waits, by a group, a scope,
 * a deadline and a token, on a foreign thread, and in a race with what it waits for.
 *
 * One law is checked for all of them: a call that returns -ECANCELED has had no effect, so what it
 * waited for is still there to be had; one that returns success has taken it, so it is not. */
#include "core_test.h"

#include <sys/socket.h>
#include <unistd.h>

typedef struct place { /* what an operation works on: each uses what it needs */
    edo_mutex mutex;
    edo_sem sem;
    edo_event event, other;
    edo_notify notify;
    edo_oneshot oneshot;
    edo_chan *chan;
    edo_permit permit, second;
    edo_rwlock rwlock;
    edo_cond cond;
    edo_barrier barrier;
    edo_setonce setonce;
    edo_ratelimit limit;
    edo_delayqueue queue;
    edo_broadcast *broadcast;
    edo_broadcast_rx listener_rx;
    edo_watch *watch;
    edo_watch_rx watcher;
    edo_token *token;
    edo_stream *stream;
    edo_listener *listener;
    uint64_t slot, value, expected; /* that what was waited for is there */
    uint64_t values[4];
    int fd[2];
} place;

typedef struct op {
    const char *name;
    int (*init)(place *p);   /* such that `wait` has to wait                         */
    int (*wait)(place *p);   /* >= 0: it happened                                    */
    int (*happen)(place *p); /* from another task: what it waits for; NULL: nothing  */
    int (*again)(place *p);  /* without waiting: takes what is there, or -EAGAIN     */
    void (*deinit)(place *p);
    int (*hold)(place *p); /* by the task that will make it happen, first; NULL: nothing to hold */
} op;

static void no_deinit(place *p)
{
    (void)p;
}

/* ---- locks and the like ---- */

static int mutex_init(place *p)
{
    edo_mutex_init(&p->mutex);
    return 0;
}
static int mutex_wait(place *p)
{
    return edo_mutex_lock(&p->mutex);
}
static int mutex_hold(place *p)
{
    return edo_mutex_lock_nowait(&p->mutex);
}
static int mutex_happen(place *p)
{
    edo_mutex_unlock(&p->mutex);
    return 0;
}

static int sem_init(place *p)
{
    edo_sem_init(&p->sem, 1);
    return 0;
}
static int sem_wait(place *p)
{
    return edo_sem_acquire(&p->sem, 3);
}
static int sem_happen(place *p)
{
    edo_sem_release(&p->sem, 2);
    return 0;
}
static int sem_again(place *p)
{
    return edo_sem_acquire_nowait(&p->sem, 3);
}

static int event_init(place *p)
{
    edo_event_init(&p->event, EDO_EVENT_AUTO);
    return 0;
}
static int event_wait(place *p)
{
    return edo_event_wait(&p->event);
}
static int event_happen(place *p)
{
    edo_event_set(&p->event);
    return 0;
}
static int event_again(place *p)
{
    return edo_event_wait_nowait(&p->event);
}

static int notify_init(place *p)
{
    edo_notify_init(&p->notify);
    return 0;
}
static int notify_wait(place *p)
{
    return edo_notify_wait(&p->notify);
}
static int notify_happen(place *p)
{
    edo_notify_one(&p->notify);
    return 0;
}
static int notify_again(place *p)
{
    return edo_notify_wait_nowait(&p->notify);
}

static int rwlock_init(place *p)
{
    edo_rwlock_init(&p->rwlock);
    return 0;
}
static int rwlock_hold(place *p)
{
    return edo_rwlock_wrlock_nowait(&p->rwlock);
}
static int rwlock_happen(place *p)
{
    edo_rwlock_unlock(&p->rwlock);
    return 0;
}
static int read_wait(place *p)
{
    return edo_rwlock_rdlock(&p->rwlock);
}
static int write_wait(place *p)
{
    return edo_rwlock_wrlock(&p->rwlock);
}
static int read_again(place *p)
{
    return edo_rwlock_rdlock_nowait(&p->rwlock);
}

static int cond_init(place *p)
{
    edo_mutex_init(&p->mutex);
    edo_cond_init(&p->cond);
    return 0;
}
static int cond_wait(place *p)
{
    int rc = edo_mutex_lock(&p->mutex);
    if (rc < 0)
        return rc;
    rc = edo_cond_wait(&p->cond, &p->mutex);
    edo_mutex_unlock(&p->mutex); /* held in any case */
    return rc;
}

static int barrier_init(place *p)
{
    edo_barrier_init(&p->barrier, 2);
    return 0;
}
static int barrier_wait(place *p)
{
    return edo_barrier_wait(&p->barrier);
}
static int barrier_happen(place *p)
{
    int rc = edo_barrier_wait_nowait(&p->barrier);
    p->slot = rc == 1; /* the other one counted */
    return rc == -EAGAIN ? 0 : rc;
}

static int setonce_init(place *p)
{
    edo_setonce_init(&p->setonce, &p->slot, sizeof p->slot);
    return 0;
}
static int setonce_wait(place *p)
{
    return edo_setonce_wait(&p->setonce, &p->value);
}
static int setonce_happen(place *p)
{
    uint64_t v = 7;
    return edo_setonce_set(&p->setonce, &v);
}

/* ---- values ---- */

static int oneshot_init(place *p)
{
    edo_oneshot_init(&p->oneshot, &p->slot, sizeof p->slot);
    return 0;
}
static int oneshot_wait(place *p)
{
    return edo_oneshot_recv(&p->oneshot, &p->value);
}
static int oneshot_happen(place *p)
{
    uint64_t v = 1;
    return edo_oneshot_send(&p->oneshot, &v);
}
static int oneshot_again(place *p)
{
    int rc = edo_oneshot_recv_nowait(&p->oneshot, &p->value);
    return rc == -EPIPE ? -EAGAIN : rc; /* taken already */
}

static int chan_init(place *p, size_t capacity, bool full)
{
    uint64_t v = 0;
    int rc = edo_chan_create(&p->chan, sizeof v, capacity);
    return rc == 0 && full ? edo_chan_send_nowait(p->chan, &v) : rc;
}
static void chan_deinit(place *p)
{
    edo_chan_unref(p->chan);
}
static int empty_init(place *p)
{
    return chan_init(p, 1, false);
}
static int full_init(place *p)
{
    return chan_init(p, 1, true);
}
static int rendezvous_init(place *p)
{
    return chan_init(p, 0, false);
}
static int chan_recv(place *p)
{
    return edo_chan_recv(p->chan, &p->value);
}
static int chan_recv_many(place *p)
{
    return edo_chan_recv_many(p->chan, p->values, 4);
}
static int chan_put(place *p)
{
    uint64_t v = 2;
    return edo_chan_send(p->chan, &v);
}
static int chan_recv_again(place *p)
{
    return edo_chan_recv_nowait(p->chan, &p->value);
}
static int chan_send(place *p)
{
    uint64_t v = 3;
    return edo_chan_send(p->chan, &v);
}
static int chan_take(place *p)
{
    uint64_t v;
    return edo_chan_recv(p->chan, &v);
}
static int chan_send_again(place *p)
{
    uint64_t v = 4;
    return edo_chan_send_nowait(p->chan, &v);
}
static int chan_reserve(place *p)
{
    return edo_chan_reserve(p->chan, &p->permit);
}
static int chan_reserve_again(place *p)
{
    return edo_chan_reserve_nowait(p->chan, &p->second);
}
static void permit_deinit(place *p)
{
    edo_permit_release(&p->permit); /* nothing in the one that has got none */
    edo_permit_release(&p->second);
    edo_chan_unref(p->chan);
}

/* Meets a partner only if there is one: if the waiter was cancelled first, its own deadline ends it. */
static int meet(place *p, bool sends)
{
    uint64_t v = 5;
    edo_scope s;
    edo_scope_open(&s, EDO_MS(2));
    int rc = sends ? edo_chan_send(p->chan, &v) : edo_chan_recv(p->chan, &v);
    rc = edo_scope_close(&s, rc);
    p->slot = rc == 0; /* it did happen */
    return rc == -ETIMEDOUT ? 0 : rc;
}
static int meet_sender(place *p)
{
    return meet(p, true);
}
static int meet_receiver(place *p)
{
    return meet(p, false);
}
/* Nothing is kept in a rendezvous: the law is that either both sides have succeeded or none. */
static int met(place *p)
{
    return p->slot != 0 ? -EAGAIN : 0;
}

static int broadcast_init(place *p)
{
    int rc = edo_broadcast_create(&p->broadcast, sizeof p->value, 4);
    if (rc == 0)
        edo_broadcast_subscribe(p->broadcast, &p->listener_rx);
    return rc;
}
static int broadcast_wait(place *p)
{
    return edo_broadcast_recv(&p->listener_rx, &p->value);
}
static int broadcast_happen(place *p)
{
    uint64_t v = 8;
    return edo_broadcast_send(p->broadcast, &v) < 0 ? -EIO : 0;
}
static int broadcast_again(place *p)
{
    return edo_broadcast_recv_nowait(&p->listener_rx, &p->value);
}
static void broadcast_deinit(place *p)
{
    edo_broadcast_unsubscribe(&p->listener_rx);
    edo_broadcast_unref(p->broadcast);
}

static int watch_init(place *p)
{
    int rc = edo_watch_create(&p->watch, sizeof p->value, &p->value);
    if (rc == 0)
        edo_watch_subscribe(p->watch, &p->watcher);
    return rc;
}
static int watch_wait(place *p)
{
    int rc = edo_watch_changed(&p->watcher);
    if (rc == 0)
        (void)edo_watch_read(&p->watcher, &p->value); /* which is what makes it seen */
    return rc;
}
static int watch_happen(place *p)
{
    uint64_t v = 9;
    return edo_watch_send(p->watch, &v);
}
static int watch_again(place *p)
{
    return edo_watch_changed_nowait(&p->watcher);
}
static void watch_deinit(place *p)
{
    edo_watch_unsubscribe(&p->watcher);
    edo_watch_unref(p->watch);
}

static int queue_init(place *p)
{
    edo_delayqueue_init(&p->queue);
    return 0;
}
static int queue_next(place *p)
{
    edo_delay d;
    return edo_delayqueue_next(&p->queue, &d);
}
static int queue_happen(place *p)
{
    return edo_delayqueue_insert(&p->queue, 0, NULL, NULL);
}
static int queue_again(place *p)
{
    edo_delay d;
    return edo_delayqueue_next_nowait(&p->queue, &d);
}
static void queue_deinit(place *p)
{
    edo_delayqueue_deinit(&p->queue);
}

/* ---- select ---- */

static int select_init(place *p)
{
    edo_event_init(&p->other, EDO_EVENT_MANUAL);
    edo_event_init(&p->event, EDO_EVENT_AUTO);
    return chan_init(p, 1, false);
}
static int select_wait(place *p)
{
    edo_case cases[] = { EDO_EVENT(&p->other), EDO_RECV(p->chan, &p->value),
                         EDO_AFTER(EDO_SEC(3600)) };
    return edo_select(cases, 3);
}
static int select_send_wait(place *p)
{
    uint64_t v = 6;
    edo_case cases[] = { EDO_EVENT(&p->other), EDO_SEND(p->chan, &v) };
    return edo_select(cases, 2);
}
static int select_full_init(place *p)
{
    edo_event_init(&p->other, EDO_EVENT_MANUAL);
    return chan_init(p, 1, true);
}

/* ---- time, tokens, room ---- */

static int nothing_init(place *p)
{
    (void)p;
    return 0;
}
static int sleep_wait(place *p)
{
    (void)p;
    return edo_sleep(EDO_SEC(3600));
}
static int forever_wait(place *p)
{
    (void)p;
    return edo_select(NULL, 0);
}
static int limit_init(place *p)
{
    int rc = edo_ratelimit_init(&p->limit, 1, EDO_SEC(3600), 1);
    return rc == 0 ? edo_ratelimit_acquire_nowait(&p->limit, 1) : rc;
}
static int limit_wait(place *p)
{
    return edo_ratelimit_acquire(&p->limit, 1);
}
static int token_init(place *p)
{
    return edo_token_create(&p->token);
}
static int token_wait(place *p)
{
    return edo_token_wait(p->token);
}
static int token_happen(place *p)
{
    edo_token_cancel(p->token);
    return 0;
}
static void token_deinit(place *p)
{
    edo_token_release(p->token);
}

/* ---- descriptors ---- */

static int pair_init(place *p)
{
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, p->fd) == 0 ? 0 : -errno;
}
static void pair_deinit(place *p)
{
    close(p->fd[0]);
    close(p->fd[1]);
}
static int fd_wait(place *p)
{
    return edo_wait_fd(p->fd[0], EDO_READABLE);
}
static int pair_happen(place *p)
{
    return write(p->fd[1], "x", 1) == 1 ? 0 : -errno;
}
static int stream_init(place *p)
{
    int rc = pair_init(p);
    return rc == 0 ? edo_stream_from_fd(&p->stream, p->fd[0]) : rc;
}
static int stream_read(place *p)
{
    char c;
    return (int)edo_read(p->stream, &c, 1);
}
static int stream_again(place *p)
{
    char c;
    return read(p->fd[0], &c, 1) == 1 ? 0 : -errno;
}
static void stream_deinit(place *p)
{
    edo_close(p->stream);
    close(p->fd[1]);
}
static int listen_init(place *p)
{
    return edo_tcp_listen(&p->listener, "127.0.0.1:0", NULL);
}
static int listen_accept(place *p)
{
    edo_stream *s;
    int rc = edo_accept(p->listener, &s);
    if (rc == 0)
        edo_close(s);
    return rc;
}
static int listen_happen(place *p)
{
    char address[32];
    edo_stream *s;
    snprintf(address, sizeof address, "127.0.0.1:%u", edo_listener_port(p->listener));
    int rc = edo_tcp_connect(&s, address, NULL);
    if (rc == 0)
        edo_close(s);
    return rc;
}
static int listen_again(place *p)
{
    edo_scope s; /* there is no form that does not wait */
    edo_scope_open(&s, p->expected ? EDO_FOREVER : EDO_MS(20));
    int rc = edo_scope_close(&s, listen_accept(p));
    return rc == -ETIMEDOUT ? -EAGAIN : rc;
}
static void listen_deinit(place *p)
{
    edo_listener_close(p->listener);
}

static const op ops[] = {
    { "mutex", mutex_init, mutex_wait, mutex_happen, mutex_hold, no_deinit, mutex_hold },
    { "semaphore", sem_init, sem_wait, sem_happen, sem_again, no_deinit, NULL },
    { "event", event_init, event_wait, event_happen, event_again, no_deinit, NULL },
    { "notify", notify_init, notify_wait, notify_happen, notify_again, no_deinit, NULL },
    { "rdlock", rwlock_init, read_wait, rwlock_happen, rwlock_hold, no_deinit, rwlock_hold },
    { "wrlock", rwlock_init, write_wait, rwlock_happen, read_again, no_deinit, rwlock_hold },
    { "condition", cond_init, cond_wait, NULL, NULL, no_deinit, NULL },
    { "barrier", barrier_init, barrier_wait, barrier_happen, met, no_deinit, NULL },
    { "setonce", setonce_init, setonce_wait, setonce_happen, NULL, no_deinit, NULL },
    { "broadcast", broadcast_init, broadcast_wait, broadcast_happen, broadcast_again,
      broadcast_deinit, NULL },
    { "watch", watch_init, watch_wait, watch_happen, watch_again, watch_deinit, NULL },
    { "delayqueue", queue_init, queue_next, queue_happen, queue_again, queue_deinit, NULL },
    { "ratelimit", limit_init, limit_wait, NULL, NULL, no_deinit, NULL },
    { "oneshot", oneshot_init, oneshot_wait, oneshot_happen, oneshot_again, no_deinit, NULL },
    { "receive", empty_init, chan_recv, chan_put, chan_recv_again, chan_deinit, NULL },
    { "receive_many", empty_init, chan_recv_many, chan_put, chan_recv_again, chan_deinit, NULL },
    { "send", full_init, chan_send, chan_take, chan_send_again, chan_deinit, NULL },
    { "reserve", full_init, chan_reserve, chan_take, chan_reserve_again, permit_deinit, NULL },
    { "meet_sender", rendezvous_init, chan_recv, meet_sender, met, chan_deinit, NULL },
    { "meet_receiver", rendezvous_init, chan_send, meet_receiver, met, chan_deinit, NULL },
    { "select_receive", select_init, select_wait, chan_put, chan_recv_again, chan_deinit, NULL },
    { "select_send", select_full_init, select_send_wait, chan_take, chan_send_again, chan_deinit,
      NULL },
    { "sleep", nothing_init, sleep_wait, NULL, NULL, no_deinit, NULL },
    { "select_nothing", nothing_init, forever_wait, NULL, NULL, no_deinit, NULL },
    { "token", token_init, token_wait, token_happen, NULL, token_deinit, NULL },
    { "descriptor", pair_init, fd_wait, pair_happen, NULL, pair_deinit, NULL },
    { "read", stream_init, stream_read, pair_happen, stream_again, stream_deinit, NULL },
    { "accept", listen_init, listen_accept, listen_happen, listen_again, listen_deinit, NULL },
};

typedef enum way { /* how it is cancelled */
                   BEFORE,
                   BY_GROUP,
                   BY_SCOPE,
                   BY_DEADLINE,
                   BY_TOKEN,
                   WAYS,
} way;

typedef struct attempt {
    const op *op;
    place *place;
    edo_token *token;
    edo_scope scope; /* BY_SCOPE */
    way way;
    unsigned open, held, let_go; /* atomic */
    int rc;
} attempt;

static int attempt_body(void *arg)
{
    attempt *a = arg;
    edo_scope_open_token(&a->scope, a->token, a->way == BY_DEADLINE ? EDO_MS(1) : EDO_FOREVER);
    STORE(&a->open, 1u);
    if (a->way == BEFORE)
        edo_scope_cancel(&a->scope);
    a->rc = a->op->wait(a->place);
    /* Whoever cancels the scope by its address must have done so before it is closed. */
    edo_scope_close(&a->scope, 0);
    return 0;
}

static void cancel(attempt *a, edo_group *g)
{
    switch (a->way) {
    case BY_GROUP: edo_group_cancel(g); break;
    case BY_TOKEN: edo_token_cancel(a->token); break;
    case BY_SCOPE: edo_scope_cancel(&a->scope); break;
    default: break; /* it comes by itself */
    }
}

static unsigned cancels, happened, both; /* of races: atomic */

static int happen_body(void *arg)
{
    attempt *a = arg;
    if (a->op->hold != NULL)
        CHECK_OK(a->op->hold(a->place));
    STORE(&a->held, 1u);
    while (LOAD(&a->let_go) == 0)
        (void)edo_yield();
    return a->op->happen(a->place);
}

static void check_law(const attempt *a)
{
    a->place->expected = a->rc < 0;
    int again = a->op->again(a->place);
    if (a->rc >= 0 ? again != -EAGAIN : again < 0)
        FAIL("%s, cancelled in way %d: returned %d, and afterwards %d", a->op->name, (int)a->way,
             a->rc, again);
}

/* The wait is under way, or as good as: the flag is set and others have run since. */
static void let_it_wait(attempt *a, unsigned yields)
{
    until(&a->open, 1);
    for (unsigned i = 0; i < yields; i++)
        CHECK_OK(edo_yield());
}

/* Cancelled with nothing else happening; what it waited for comes afterwards and is there. */
static void one_cancel(const op *o, way w)
{
    place p = { 0 };
    attempt a = { .op = o, .place = &p, .way = w };
    CHECK_OK(o->init(&p));
    CHECK_OK(edo_token_create(&a.token));
    if (o->hold != NULL)
        CHECK_OK(o->hold(&p));
    edo_group g;
    edo_group_open(&g, NULL);
    CHECK_OK(edo_spawn(&g, attempt_body, &a));
    let_it_wait(&a, 20);
    cancel(&a, &g);
    edo_group_close(&g);
    if (a.rc != -ECANCELED)
        FAIL("%s, cancelled in way %d: returned %d", o->name, (int)w, a.rc);
    ADD(&cancels, 1);
    if (o->happen != NULL)
        CHECK_OK(o->happen(&p));
    if (o->again != NULL)
        check_law(&a);
    edo_token_release(a.token);
    o->deinit(&p);
}

/* Cancelled while what it waits for happens. */
static void one_race(const op *o, way w, unsigned yields)
{
    place p = { 0 };
    attempt a = { .op = o, .place = &p, .way = w };
    CHECK_OK(o->init(&p));
    CHECK_OK(edo_token_create(&a.token));
    edo_group g, h;
    edo_group_open(&h, NULL);
    CHECK_OK(edo_spawn(&h, happen_body, &a));
    until(&a.held, 1);
    edo_group_open(&g, NULL);
    CHECK_OK(edo_spawn(&g, attempt_body, &a));
    let_it_wait(&a, yields % 8);
    STORE(&a.let_go, 1u);
    for (unsigned i = 0; i < yields / 8; i++)
        CHECK_OK(edo_yield());
    cancel(&a, &g);
    edo_group_close(&g);
    CHECK_INT(edo_group_close(&h), ==, 0);
    if (a.rc < 0 && a.rc != -ECANCELED)
        FAIL("%s, raced in way %d: returned %d", o->name, (int)w, a.rc);
    ADD(a.rc < 0 ? &cancels : &happened, 1);
    ADD(&both, 1);
    if (o->again != NULL)
        check_law(&a);
    edo_token_release(a.token);
    o->deinit(&p);
}

static int cancel_all(void *arg)
{
    (void)arg;
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        for (way w = BEFORE; w < WAYS; w++)
            one_cancel(&ops[i], w);
    }
    return 0;
}

TEST_TIMEOUT(each_in_every_way, 120)
{
    EACH_WORKERS(workers)
    run_on(workers, cancel_all, NULL);
    printf("# %zu operations, %u cancels\n", sizeof ops / sizeof ops[0], cancels);
}

static int race_all(void *arg)
{
    uint64_t random = test_seed();
    unsigned rounds = test_scale(*(unsigned *)arg);
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        if (ops[i].happen == NULL)
            continue;
        bool slow = ops[i].happen == listen_happen || ops[i].again == met;
        for (unsigned r = 0; r < (slow ? rounds / 20 + 1 : rounds); r++) {
            /* BY_SCOPE needs the scope open at that moment: not in a race with its closing */
            way w = test_rand(&random) % 2 == 0 ? BY_GROUP : BY_TOKEN;
            one_race(&ops[i], w, (unsigned)(test_rand(&random) % 64));
        }
    }
    return 0;
}

TEST_TIMEOUT(each_in_a_race_with_what_it_waits_for, 240)
{
    unsigned rounds = 1500;
    EACH_WORKERS(workers)
    run_on(workers, race_all, &rounds);
    printf("# %u races: %u cancelled, %u happened\n", both, cancels, happened);
    CHECK_UINT(cancels, >, 0);
    CHECK_UINT(happened, >, 0);
}

/* ---- a thread that is no worker ---- */

typedef struct foreign {
    attempt a;
    pthread_t thread;
} foreign;

static void *foreign_main(void *arg)
{
    foreign *f = arg;
    attempt_body(&f->a);
    return NULL;
}

static int foreign_all(void *arg)
{
    (void)arg;
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        for (way w = BEFORE; w < WAYS; w++) {
            const op *o = &ops[i];
            if (w == BY_GROUP)
                continue;
            place p = { 0 };
            foreign f = { .a = { .op = o, .place = &p, .way = w } };
            CHECK_OK(o->init(&p));
            CHECK_OK(edo_token_create(&f.a.token));
            if (o->hold != NULL)
                CHECK_OK(o->hold(&p));
            CHECK_INT(pthread_create(&f.thread, NULL, foreign_main, &f), ==, 0);
            let_it_wait(&f.a, 20);
            cancel(&f.a, NULL);
            pthread_join(f.thread, NULL);
            if (f.a.rc != -ECANCELED)
                FAIL("%s on a thread, way %d: returned %d", o->name, (int)w, f.a.rc);
            ADD(&cancels, 1);
            if (o->happen != NULL)
                CHECK_OK(o->happen(&p));
            if (o->again != NULL)
                check_law(&f.a);
            edo_token_release(f.a.token);
            o->deinit(&p);
        }
    }
    return 0;
}

TEST_TIMEOUT(each_on_a_foreign_thread, 120)
{
    run_on(2, foreign_all, NULL);
    printf("# %u cancels of foreign threads\n", cancels);
}

TEST_MAIN()
