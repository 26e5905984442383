/* SPDX-License-Identifier: MIT */
/* Every primitive that has a waiting line serves in order of arrival: random histories against a
 * model, see fairness.h. EDO_TEST_HISTORIES=N runs N per primitive and number of workers. */
#include "fairness.h"

/* ---- locks and permits ---- */

static void mutex_init(line *l)
{
    edo_mutex_init(&l->on.mutex);
}

static int mutex_wait(member *m)
{
    return edo_mutex_lock(&m->line->on.mutex);
}

static int mutex_select(member *m)
{
    return wait_in_select(m, (edo_case)EDO_LOCK(&m->line->on.mutex));
}

static void mutex_leave(member *m)
{
    edo_mutex_unlock(&m->line->on.mutex);
}

static void rwlock_init(line *l)
{
    edo_rwlock_init(&l->on.rwlock);
}

static int rwlock_wait(member *m)
{
    edo_rwlock *lock = &m->line->on.rwlock;
    return m->n == WHOLE ? edo_rwlock_wrlock(lock) : edo_rwlock_rdlock(lock);
}

static void rwlock_leave(member *m)
{
    edo_rwlock_unlock(&m->line->on.rwlock);
}

static void sem_init(line *l)
{
    edo_sem_init(&l->on.sem, l->kind->room);
}

static int sem_wait(member *m)
{
    return edo_sem_acquire(&m->line->on.sem, m->n);
}

static int sem_select(member *m)
{
    return wait_in_select(m, (edo_case)EDO_ACQUIRE(&m->line->on.sem, m->n));
}

static void sem_leave(member *m)
{
    edo_sem_release(&m->line->on.sem, m->n);
}

static void sem_give(line *l, unsigned n)
{
    edo_sem_release(&l->on.sem, n);
}

static void sem_close(line *l)
{
    edo_sem_close(&l->on.sem);
}

static void ratelimit_init(line *l)
{
    CHECK_OK(edo_clock_pause());
    CHECK_OK(edo_ratelimit_init(&l->on.ratelimit, 1, EDO_MS(1), l->kind->room));
}

static void ratelimit_deinit(line *l)
{
    (void)l;
    CHECK_OK(edo_clock_resume());
}

static int ratelimit_wait(member *m)
{
    return edo_ratelimit_acquire(&m->line->on.ratelimit, m->n);
}

static void ratelimit_give(line *l, unsigned n)
{
    (void)l;
    CHECK_OK(edo_clock_advance(EDO_MS(n)));
}

/* ---- events ---- */

static void event_auto_init(line *l)
{
    edo_event_init(&l->on.event, EDO_EVENT_AUTO);
}

static void event_init(line *l)
{
    edo_event_init(&l->on.event, EDO_EVENT_MANUAL);
}

static int event_wait(member *m)
{
    return edo_event_wait(&m->line->on.event);
}

static int event_select(member *m)
{
    return wait_in_select(m, (edo_case)EDO_EVENT(&m->line->on.event));
}

static void event_give(line *l, unsigned n)
{
    while (n-- > 0)
        edo_event_set(&l->on.event);
}

static void event_pulse(line *l, unsigned n)
{
    (void)n;
    edo_event_set(&l->on.event);
    edo_event_reset(&l->on.event);
}

static void notify_init(line *l)
{
    edo_notify_init(&l->on.notify);
}

static int notify_wait(member *m)
{
    return edo_notify_wait(&m->line->on.notify);
}

static int notify_select(member *m)
{
    return wait_in_select(m, (edo_case)EDO_NOTIFIED(&m->line->on.notify));
}

static void notify_give(line *l, unsigned n)
{
    if (n == 4)
        edo_notify_all(&l->on.notify);
    else
        while (n-- > 0)
            edo_notify_one(&l->on.notify);
}

static void notify_give_last(line *l, unsigned n)
{
    while (n-- > 0)
        edo_notify_last(&l->on.notify);
}

static void cond_init(line *l)
{
    edo_mutex_init(&l->on.mutex);
    edo_cond_init(&l->cond);
}

static int cond_wait(member *m)
{
    edo_mutex *mutex = &m->line->on.mutex;
    while (edo_mutex_lock_nowait(mutex) < 0) /* parked means: in the line of the cond */
        (void)edo_yield();
    int rc = edo_cond_wait(&m->line->cond, mutex);
    edo_mutex_unlock(mutex);
    return rc;
}

static void cond_give(line *l, unsigned n)
{
    if (n == 4)
        edo_cond_broadcast(&l->cond);
    else
        while (n-- > 0)
            edo_cond_signal(&l->cond);
}

static void barrier_init(line *l)
{
    edo_barrier_init(&l->on.barrier, l->kind->room);
}

static int barrier_wait(member *m)
{
    return edo_barrier_wait(&m->line->on.barrier);
}

/* ---- once for all ---- */

static void setonce_init(line *l)
{
    edo_setonce_init(&l->on.setonce, &l->slot, sizeof l->slot);
}

static int setonce_wait(member *m)
{
    return edo_setonce_wait(&m->line->on.setonce, &m->value);
}

static void setonce_give(line *l, unsigned n)
{
    int rc = edo_setonce_set(&l->on.setonce, &n);
    CHECK(rc == 0 || rc == -EALREADY);
}

static void token_init(line *l)
{
    CHECK_OK(edo_token_create(&l->on.token));
}

static void token_deinit(line *l)
{
    edo_token_release(l->on.token);
}

static int token_wait(member *m)
{
    return edo_token_wait(m->line->on.token);
}

static int token_select(member *m)
{
    return wait_in_select(m, (edo_case)EDO_TOKEN(m->line->on.token));
}

static void token_give(line *l, unsigned n)
{
    (void)n;
    edo_token_cancel(l->on.token);
}

/* A task that ends when the gate opens; with on.group around it. */
static int behind_gate(void *arg)
{
    line *l = arg;
    return edo_event_wait(&l->gate);
}

static int run_once(void *arg)
{
    line *l = arg;
    return edo_once_run(&l->once, behind_gate, l);
}

static void gate_open(line *l, unsigned n)
{
    (void)n;
    edo_event_set(&l->gate);
}

static void gated_init(line *l, edo_fn *fn)
{
    edo_event_init(&l->gate, EDO_EVENT_MANUAL);
    CHECK_OK(edo_group_open(&l->on.group, NULL));
    CHECK_OK(edo_spawn_with(&l->on.group, NULL, &l->id, fn, l));
    for (int i = 0; i < 4; i++)
        CHECK_OK(edo_yield());
}

static void gated_deinit(line *l)
{
    edo_event_set(&l->gate);
    CHECK_OK(edo_group_close(&l->on.group));
}

static void joined_init(line *l)
{
    gated_init(l, behind_gate);
}

static int joined_select(member *m)
{
    int rc = wait_in_select(m, (edo_case)EDO_JOINED(m->line->id));
    return rc == -ESRCH ? 0 : rc; /* nothing is left of it */
}

static int not_by_me(void *arg)
{
    (void)arg;
    return -EBUSY;
}

/* Until the child runs behind_gate(); who asks before that must not run it itself. */
static void once_init(line *l)
{
    edo_once_init(&l->once);
    gated_init(l, run_once);
    while (edo_once_run_nowait(&l->once, not_by_me, l) != -EAGAIN)
        CHECK_OK(edo_yield()); /* not reached with one worker: it runs */
}

static int once_wait(member *m)
{
    return edo_once_run(&m->line->once, behind_gate, m->line);
}

/* ---- channels ---- */

static void chan_open(line *l, size_t capacity)
{
    CHECK_OK(edo_chan_create(&l->on.chan, sizeof(unsigned), capacity));
}

static void chan_init(line *l)
{
    chan_open(l, EDO_UNBOUNDED);
}

static void chan_init_room(line *l)
{
    chan_open(l, l->kind->cap);
}

static void chan_deinit(line *l)
{
    edo_chan_unref(l->on.chan);
}

static void chan_close(line *l)
{
    edo_chan_close(l->on.chan);
}

static int recv_wait(member *m)
{
    return edo_chan_recv(m->line->on.chan, &m->value);
}

static int recv_select(member *m)
{
    return wait_in_select(m, (edo_case)EDO_RECV(m->line->on.chan, &m->value));
}

static int recv_many_wait(member *m)
{
    unsigned values[4];
    int rc = edo_chan_recv_many(m->line->on.chan, values, m->n);
    if (rc <= 0)
        return rc;
    for (int i = 1; i < rc; i++)
        CHECK_UINT(values[i], ==, values[0] + (unsigned)i);
    m->value = values[0];
    m->taken = (unsigned)rc;
    return 0;
}

static void recv_give(line *l, unsigned n)
{
    while (n-- > 0)
        l->given += edo_chan_send_nowait(l->on.chan, &l->given) == 0;
}

static int send_wait(member *m)
{
    return edo_chan_send(m->line->on.chan, &m->number);
}

static int send_select(member *m)
{
    return wait_in_select(m, (edo_case)EDO_SEND(m->line->on.chan, &m->number));
}

static int send_many_wait(member *m)
{
    unsigned values[4] = { m->number, m->number, m->number, m->number };
    int rc = edo_chan_send_many(m->line->on.chan, values, m->n);
    if (rc < 0)
        return rc;
    m->taken = (unsigned)rc;
    return m->taken == m->n ? 0 : -EINTR;
}

static void send_give(line *l, unsigned n)
{
    while (n-- > 0)
        l->n_out += edo_chan_recv_nowait(l->on.chan, &l->out[l->n_out]) == 0;
}

static int reserve_wait(member *m)
{
    return edo_chan_reserve_many(m->line->on.chan, m->n, &m->permit);
}

static int reserve_select(member *m)
{
    return wait_in_select(m, (edo_case)EDO_RESERVE(m->line->on.chan, &m->permit));
}

static void reserve_leave(member *m)
{
    edo_permit_release(&m->permit);
}

static int closed_wait(member *m)
{
    return edo_chan_wait_closed(m->line->on.chan);
}

static int closed_select(member *m)
{
    return wait_in_select(m, (edo_case)EDO_CHAN_CLOSED(m->line->on.chan));
}

static void closed_give(line *l, unsigned n)
{
    (void)n;
    edo_chan_close(l->on.chan);
}

static void delays_init(line *l)
{
    edo_delayqueue_init(&l->on.delays);
}

static void delays_deinit(line *l)
{
    edo_delayqueue_deinit(&l->on.delays);
}

static int delays_wait(member *m)
{
    edo_delay d;
    int rc = edo_delayqueue_next(&m->line->on.delays, &d);
    if (rc == 0)
        m->value = (unsigned)(uintptr_t)d.value;
    return rc;
}

static int delays_select(member *m)
{
    edo_delay d;
    int rc = wait_in_select(m, (edo_case)EDO_DELAYQUEUE_NEXT(&m->line->on.delays, &d));
    if (rc == 0)
        m->value = (unsigned)(uintptr_t)d.value;
    return rc;
}

static void delays_give(line *l, unsigned n)
{
    for (; n > 0; n--) {
        void *value = (void *)(uintptr_t)l->given++;
        int rc = edo_delayqueue_insert_at(&l->on.delays, 1, value, NULL);
        CHECK(rc == 0 || rc == -EPIPE);
    }
}

static void delays_close(line *l)
{
    edo_delayqueue_close(&l->on.delays);
}

/* ---- published values ---- */

static void broadcast_init(line *l)
{
    CHECK_OK(edo_broadcast_create(&l->on.broadcast, sizeof(unsigned), 4));
}

static void broadcast_deinit(line *l)
{
    edo_broadcast_unref(l->on.broadcast);
}

static int broadcast_via(member *m, bool select)
{
    edo_broadcast_subscribe(m->line->on.broadcast, &m->broadcast);
    int rc = select ? wait_in_select(m, (edo_case)EDO_BROADCAST(&m->broadcast, &m->value))
                    : edo_broadcast_recv(&m->broadcast, &m->value);
    edo_broadcast_unsubscribe(&m->broadcast);
    return rc;
}

static int broadcast_wait(member *m)
{
    return broadcast_via(m, false);
}

static int broadcast_select(member *m)
{
    return broadcast_via(m, true);
}

static void broadcast_give(line *l, unsigned n)
{
    (void)edo_broadcast_send(l->on.broadcast, &n);
}

static void broadcast_close(line *l)
{
    edo_broadcast_close(l->on.broadcast);
}

static void watch_init(line *l)
{
    CHECK_OK(edo_watch_create(&l->on.watch, sizeof(unsigned), NULL));
}

static void watch_deinit(line *l)
{
    edo_watch_unref(l->on.watch);
}

static int watch_via(member *m, bool select)
{
    edo_watch_subscribe(m->line->on.watch, &m->watch);
    int rc =
        select ? wait_in_select(m, (edo_case)EDO_CHANGED(&m->watch)) : edo_watch_changed(&m->watch);
    edo_watch_unsubscribe(&m->watch);
    return rc;
}

static int watch_wait(member *m)
{
    return watch_via(m, false);
}

static int watch_select(member *m)
{
    return watch_via(m, true);
}

static void watch_give(line *l, unsigned n)
{
    int rc = edo_watch_send(l->on.watch, &n);
    CHECK(rc == 0 || rc == -EPIPE);
}

static void watch_close(line *l)
{
    edo_watch_close(l->on.watch);
}

/* ---- tasks and jobs ---- */

static void limit_init(line *l)
{
    edo_group_options options = { .limit = l->kind->room, .discard = true };
    CHECK_OK(edo_group_open(&l->on.group, &options));
}

static void limit_deinit(line *l)
{
    CHECK_OK(edo_group_close(&l->on.group));
}

static int limited_child(void *arg)
{
    member *m = arg;
    return edo_event_wait(&m->leave);
}

static int limit_wait(member *m)
{
    return edo_spawn(&m->line->on.group, limited_child, m);
}

static void pool_init(line *l)
{
    (void)l;
}

static int job(void *arg)
{
    member_in(arg);
    return 0;
}

static int pool_wait(member *m)
{
    return edo_blocking(job, m);
}

enum { ANY = 1 << 20, EPIPED = -EPIPE, POOL = 2 };

static const fair_kind kinds[] = {
    { "mutex", HOLDS, 1, 1, 1, 0, 0, mutex_init, NULL, mutex_wait, mutex_leave, NULL, NULL },
    { "mutex in select", HOLDS | SELECTS, 1, 1, 1, 0, 0, mutex_init, NULL, mutex_select,
      mutex_leave, NULL, NULL },
    { "rwlock", HOLDS | READ_WRITE, WHOLE, WHOLE, 1, 0, 0, rwlock_init, NULL, rwlock_wait,
      rwlock_leave, NULL, NULL },
    { "sem", CLOSES, 2, ANY, 3, 3, EPIPED, sem_init, NULL, sem_wait, NULL, sem_give, sem_close },
    { "sem in select", CLOSES | SELECTS, 2, ANY, 3, 3, EPIPED, sem_init, NULL, sem_select, NULL,
      sem_give, sem_close },
    { "sem, given back", HOLDS | CLOSES, 4, 4, 4, 0, EPIPED, sem_init, NULL, sem_wait, sem_leave,
      NULL, sem_close },
    { "ratelimit", TASKS, 4, 4, 4, 5, 0, ratelimit_init, ratelimit_deinit, ratelimit_wait, NULL,
      ratelimit_give, NULL },
    { "auto event", 0, 0, 1, 1, 3, 0, event_auto_init, NULL, event_wait, NULL, event_give, NULL },
    { "auto event in select", SELECTS, 0, 1, 1, 3, 0, event_auto_init, NULL, event_select, NULL,
      event_give, NULL },
    { "event", ALL, 0, 0, 1, 1, 0, event_init, NULL, event_wait, NULL, event_pulse, NULL },
    { "event in select", ALL | SELECTS, 0, 0, 1, 1, 0, event_init, NULL, event_select, NULL,
      event_pulse, NULL },
    { "event that stays", OPENS | SELECTS, 0, 0, 1, 1, 0, event_init, NULL, event_select, NULL,
      event_give, NULL },
    { "notify", ALL_AT_4, 0, 1, 1, 4, 0, notify_init, NULL, notify_wait, NULL, notify_give, NULL },
    { "notify in select", ALL_AT_4 | SELECTS, 0, 1, 1, 4, 0, notify_init, NULL, notify_select, NULL,
      notify_give, NULL },
    { "notify the last", LAST_FIRST, 0, 1, 1, 3, 0, notify_init, NULL, notify_wait, NULL,
      notify_give_last, NULL },
    { "cond", ALL_AT_4, 0, 0, 1, 4, 0, cond_init, NULL, cond_wait, NULL, cond_give, NULL },
    { "barrier", GATHER, 4, 4, 1, 0, 0, barrier_init, NULL, barrier_wait, NULL, NULL, NULL },
    { "setonce", OPENS, 0, 0, 1, 1, 0, setonce_init, NULL, setonce_wait, NULL, setonce_give, NULL },
    { "token", OPENS, 0, 0, 1, 1, 0, token_init, token_deinit, token_wait, NULL, token_give, NULL },
    { "token in select", OPENS | SELECTS, 0, 0, 1, 1, 0, token_init, token_deinit, token_select,
      NULL, token_give, NULL },
    { "join", OPENS | SELECTS | TASKS, 0, 0, 1, 1, 0, joined_init, gated_deinit, joined_select,
      NULL, gate_open, NULL },
    { "once", OPENS, 0, 0, 1, 1, 0, once_init, gated_deinit, once_wait, NULL, gate_open, NULL },
    { "recv", VALUES | CLOSES | DRAINS, 0, ANY, 1, 3, EPIPED, chan_init, chan_deinit, recv_wait,
      NULL, recv_give, chan_close },
    { "recv in select", VALUES | CLOSES | DRAINS | SELECTS, 0, ANY, 1, 3, EPIPED, chan_init,
      chan_deinit, recv_select, NULL, recv_give, chan_close },
    { "recv, bounded", VALUES | CLOSES | DRAINS, 0, 3, 1, 3, EPIPED, chan_init_room, chan_deinit,
      recv_wait, NULL, recv_give, chan_close },
    { "recv, rendezvous", VALUES | CLOSES, 0, 0, 1, 3, EPIPED, chan_init_room, chan_deinit,
      recv_wait, NULL, recv_give, chan_close },
    { "recv_many", VALUES | CLOSES | DRAINS | UP_TO, 0, ANY, 4, 1, EPIPED, chan_init, chan_deinit,
      recv_many_wait, NULL, recv_give, chan_close },
    { "send", OUT | CLOSES, 2, 2, 1, 3, EPIPED, chan_init_room, chan_deinit, send_wait, NULL,
      send_give, chan_close },
    { "send in select", OUT | CLOSES | SELECTS, 2, 2, 1, 3, EPIPED, chan_init_room, chan_deinit,
      send_select, NULL, send_give, chan_close },
    { "send, rendezvous", OUT | CLOSES, 0, 0, 1, 3, EPIPED, chan_init_room, chan_deinit, send_wait,
      NULL, send_give, chan_close },
    { "send_many", OUT | CLOSES | BY_ONES, 2, 2, 4, 1, EPIPED, chan_init_room, chan_deinit,
      send_many_wait, NULL, send_give, chan_close },
    { "reserve", HOLDS | CLOSES, 3, 3, 3, 0, EPIPED, chan_init_room, chan_deinit, reserve_wait,
      reserve_leave, NULL, chan_close },
    { "reserve in select", HOLDS | CLOSES | SELECTS, 2, 2, 1, 0, EPIPED, chan_init_room,
      chan_deinit, reserve_select, reserve_leave, NULL, chan_close },
    { "wait_closed", OPENS, 0, 0, 1, 1, 0, chan_init, chan_deinit, closed_wait, NULL, closed_give,
      NULL },
    { "wait_closed in select", OPENS | SELECTS, 0, 0, 1, 1, 0, chan_init, chan_deinit,
      closed_select, NULL, closed_give, NULL },
    { "delayqueue", VALUES | CLOSES | DRAINS, 0, ANY, 1, 3, EPIPED, delays_init, delays_deinit,
      delays_wait, NULL, delays_give, delays_close },
    { "delayqueue in select", VALUES | CLOSES | DRAINS | SELECTS, 0, ANY, 1, 3, EPIPED, delays_init,
      delays_deinit, delays_select, NULL, delays_give, delays_close },
    { "broadcast", ALL | CLOSES, 0, 0, 1, 1, EPIPED, broadcast_init, broadcast_deinit,
      broadcast_wait, NULL, broadcast_give, broadcast_close },
    { "broadcast in select", ALL | CLOSES | SELECTS, 0, 0, 1, 1, EPIPED, broadcast_init,
      broadcast_deinit, broadcast_select, NULL, broadcast_give, broadcast_close },
    { "watch", ALL | CLOSES, 0, 0, 1, 1, EPIPED, watch_init, watch_deinit, watch_wait, NULL,
      watch_give, watch_close },
    { "watch in select", ALL | CLOSES | SELECTS, 0, 0, 1, 1, EPIPED, watch_init, watch_deinit,
      watch_select, NULL, watch_give, watch_close },
    { "limit on children", HOLDS, 3, 3, 1, 0, 0, limit_init, limit_deinit, limit_wait, NULL, NULL,
      NULL },
    { "blocking pool", HOLDS | OWN | TASKS, POOL, POOL, 1, 0, 0, pool_init, NULL, pool_wait, NULL,
      NULL, NULL },
};

static void all_kinds(unsigned workers, unsigned histories)
{
    const char *wish = getenv("EDO_TEST_HISTORIES");
    if (wish != NULL)
        histories = (unsigned)atoi(wish);
    unsigned ran = 0, steps = 0;
    test_on_timeout(core_test_dump);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        edo_config config = { .workers = workers,
                              .seed = test_seed(),
                              .current_thread = workers == 1,
                              .blocking_max = POOL };
        fair_run run = {
            .kind = &kinds[i], .workers = workers, .histories = histories, .patience = EDO_SEC(20)
        };
        core_test_call call = { run_histories, &run };
        CHECK_OK(edo_run(&config, core_test_main, &call));
        if (run.failure[0] != '\0')
            FAIL("seed %llu: %s", (unsigned long long)test_seed(), run.failure);
        ran += run.ran;
        steps += run.steps;
    }
    printf("# %zu kinds, %u histories of %u steps\n", sizeof kinds / sizeof *kinds, ran, steps);
}

TEST_TIMEOUT(in_order_on_one_worker, 120)
{
    all_kinds(1, test_scale(60));
}

TEST_TIMEOUT(in_order_on_two_workers_and_threads, 120)
{
    all_kinds(2, test_scale(4));
}

TEST_TIMEOUT(in_order_on_four_workers_and_threads, 120)
{
    all_kinds(4, test_scale(4));
}

TEST_MAIN()
