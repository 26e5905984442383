/* SPDX-License-Identifier: MIT */
/* Events and notify: gates, single passes, and a wake-up that is never lost. */
#include "storm.h"

typedef struct waiting {
    edo_event *event;
    edo_notify *notify;
    int *passed; /* atomic */
} waiting;

static int wait_event(void *arg)
{
    waiting *w = arg;
    int rc = edo_event_wait(w->event);
    if (rc == 0)
        __atomic_fetch_add(w->passed, 1, __ATOMIC_RELAXED);
    return rc;
}

static int wait_notify(void *arg)
{
    waiting *w = arg;
    int rc = edo_notify_wait(w->notify);
    if (rc == 0)
        __atomic_fetch_add(w->passed, 1, __ATOMIC_RELAXED);
    return rc;
}

static void spawn_waiting(edo_group *g, edo_fn *fn, waiting *w, int n)
{
    CHECK_OK(edo_group_open(g, NULL));
    for (int i = 0; i < n; i++)
        CHECK_OK(edo_spawn(g, fn, w));
    settle();
}

static int manual(void *arg)
{
    int passed = 0;
    edo_event e = EDO_EVENT_INIT;
    edo_group g;
    waiting w = { .event = &e, .passed = &passed };
    (void)arg;
    spawn_waiting(&g, wait_event, &w, 5);
    CHECK_INT(passed, ==, 0);
    CHECK_INT(edo_event_wait_nowait(&e), ==, -EAGAIN);
    edo_event_set(&e);
    CHECK_OK(edo_group_close(&g));
    CHECK_INT(passed, ==, 5);
    CHECK(edo_event_is_set(&e));
    CHECK_OK(edo_event_wait(&e));
    CHECK_OK(edo_event_wait_nowait(&e));
    edo_scope s;
    CHECK_OK(edo_scope_open(&s, 0));
    CHECK_INT(edo_scope_close(&s, edo_event_wait(&e)), ==, -ETIMEDOUT);
    edo_event_reset(&e);
    CHECK(!edo_event_is_set(&e));
    CHECK_INT(edo_event_wait_nowait(&e), ==, -EAGAIN);
    return 0;
}

static int automatic(void *arg)
{
    int passed = 0;
    edo_event e = EDO_EVENT_AUTO_INIT;
    edo_group g;
    waiting w = { .event = &e, .passed = &passed };
    (void)arg;
    spawn_waiting(&g, wait_event, &w, 3);
    for (int i = 1; i <= 3; i++) {
        edo_event_set(&e);
        settle();
        CHECK_INT(passed, ==, i);
    }
    CHECK(!edo_event_is_set(&e));
    edo_event_set(&e);
    edo_event_set(&e);
    CHECK_OK(edo_event_wait_nowait(&e));
    CHECK_INT(edo_event_wait_nowait(&e), ==, -EAGAIN);
    edo_scope s;
    edo_event_set(&e);
    CHECK_OK(edo_scope_open(&s, 0)); /* cancelled: it stays set */
    CHECK_INT(edo_scope_close(&s, edo_event_wait(&e)), ==, -ETIMEDOUT);
    CHECK_OK(edo_event_wait(&e));
    return edo_group_close(&g);
}

static int notify(void *arg)
{
    int passed = 0;
    edo_notify n = EDO_NOTIFY_INIT;
    edo_group g;
    waiting w = { .notify = &n, .passed = &passed };
    (void)arg;
    edo_notify_all(&n); /* nobody there: nothing stored */
    CHECK_INT(edo_notify_wait_nowait(&n), ==, -EAGAIN);
    edo_notify_one(&n);
    edo_notify_one(&n); /* one at most is stored */
    edo_scope s;
    CHECK_OK(edo_scope_open(&s, 0));
    CHECK_INT(edo_scope_close(&s, edo_notify_wait(&n)), ==, -ETIMEDOUT);
    CHECK_OK(edo_notify_wait(&n));
    CHECK_INT(edo_notify_wait_nowait(&n), ==, -EAGAIN);
    spawn_waiting(&g, wait_notify, &w, 4);
    edo_notify_one(&n);
    settle();
    CHECK_INT(passed, ==, 1);
    edo_notify_all(&n);
    settle();
    CHECK_INT(passed, ==, 4);
    CHECK_INT(edo_notify_wait_nowait(&n), ==, -EAGAIN);
    return edo_group_close(&g);
}

TEST(manual_event)
{
    run_on(1, manual, NULL);
}

TEST(auto_event)
{
    run_on(1, automatic, NULL);
}

TEST(notify_one_and_all)
{
    run_on(1, notify, NULL);
}

/* One baton goes round: whoever is woken passes it on. A wake-up that is lost ends the game, one
 * that is doubled puts two inside. */
typedef struct game {
    edo_notify notify;
    edo_event event; /* auto */
    bool with_event;
    int holders; /* atomic */
    unsigned tasks, rounds;
    storm storm;
} game;

typedef struct player {
    game *g;
    unsigned slot;
} player;

static int catch_baton(void *arg)
{
    game *g = arg;
    return g->with_event ? edo_event_wait(&g->event) : edo_notify_wait(&g->notify);
}

static int play(void *arg)
{
    player *p = arg;
    game *g = p->g;
    uint64_t seed = test_seed() + p->slot;
    for (unsigned i = 0; i < g->rounds; i++) {
        if (storm_op(&g->storm, p->slot, &seed, catch_baton, g) != 0)
            continue;
        CHECK_INT(__atomic_fetch_add(&g->holders, 1, __ATOMIC_RELAXED), ==, 0);
        if (test_rand(&seed) % 4 == 0)
            (void)edo_yield();
        CHECK_INT(__atomic_fetch_sub(&g->holders, 1, __ATOMIC_RELAXED), ==, 1);
        if (g->with_event)
            edo_event_set(&g->event);
        else
            edo_notify_one(&g->notify);
    }
    return 0;
}

static int play_all(void *arg)
{
    game *g = arg;
    edo_group players;
    storm_begin(&g->storm, true);
    CHECK_OK(edo_group_open(&players, NULL));
    for (unsigned i = 0; i < g->tasks; i++)
        CHECK_OK(edo_spawn_copy(&players, play, &(player){ g, i }, sizeof(player)));
    CHECK_OK(edo_group_close(&players));
    return storm_end(&g->storm);
}

static void run_game(bool with_event, unsigned workers)
{
    game g = { .notify = EDO_NOTIFY_INIT,
               .event = EDO_EVENT_AUTO_INIT,
               .with_event = with_event,
               .tasks = 20,
               .rounds = test_scale(400) };
    player outside = { &g, STORM_SLOTS - 1 };
    foreign_call thread;
    edo_event_set(&g.event);
    edo_notify_one(&g.notify);
    foreign_start(&thread, play, &outside);
    run_on(workers, play_all, &g);
    foreign_join(&thread);
    CHECK_INT(with_event ? edo_event_wait_nowait(&g.event) : edo_notify_wait_nowait(&g.notify), ==,
              0);
    CHECK_INT(g.storm.done, >, 0);
    CHECK_INT(g.storm.cancelled, >, 0);
}

TEST_TIMEOUT(notify_storm, 60)
{
    EACH_WORKER_COUNT(i) run_game(false, worker_counts[i]);
}

TEST_TIMEOUT(event_storm, 60)
{
    EACH_WORKER_COUNT(i) run_game(true, worker_counts[i]);
}

/* An event in the frame of who waits for it is gone as soon as that one is woken. */
static int setter(void *arg)
{
    edo_chan *c = arg;
    edo_event *e;
    while (edo_chan_recv(c, &e) == 0)
        edo_event_set(e);
    return 0;
}

static int short_lived(edo_chan *c, bool spin)
{
    edo_event e;
    edo_event *p = &e;
    edo_event_init(&e, EDO_EVENT_MANUAL);
    int rc = edo_chan_send(c, &p);
    while (rc == 0 && spin && edo_event_wait_nowait(&e) < 0)
        rc = edo_yield();
    if (rc == 0)
        rc = edo_event_wait(&e);
    memset(&e, 0xff, sizeof e); /* a late access finds a lock held for ever, or is seen by ASan */
    __asm__ __volatile__("" ::"r"(&e) : "memory");
    return rc;
}

typedef struct frames {
    edo_chan *c;
    unsigned rounds;
} frames;

static int many_short_lived(void *arg)
{
    frames *f = arg;
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK(edo_spawn(&g, setter, f->c));
    for (unsigned i = 0; i < f->rounds; i++)
        CHECK_OK(short_lived(f->c, i % 2));
    edo_chan_close(f->c);
    return edo_group_close(&g);
}

TEST_TIMEOUT(event_may_go_away_when_woken, 60)
{
    EACH_WORKER_COUNT(i)
    {
        frames f = { .rounds = test_scale(20000) };
        foreign_call thread;
        CHECK_OK(edo_chan_create(&f.c, sizeof(edo_event *), 1));
        foreign_start(&thread, setter, f.c);
        run_on(worker_counts[i], many_short_lived, &f);
        foreign_join(&thread);
        edo_chan_unref(f.c);
    }
}

TEST_MAIN()
