/* SPDX-License-Identifier: MIT */
/* Several runtimes in one process: what their tasks do to each other, one that ends while the others
 * go on, and what is left behind by those that came and went. */
#include "core_test.h"

#include <dirent.h>
#include <edo/blocking.h>
#include <edo/io.h>
#include <edo/metrics.h>
#include <signal.h>
#include <unistd.h>

enum { RUNTIMES = 3 };

/* The first one has the current-thread flavour. */
static void create_all(edo_runtime **rt, unsigned n)
{
    static const char *const names[] = { "one", "two", "three" };
    for (unsigned i = 0; i < n; i++) {
        edo_config config = {
            .workers = i + 1, .current_thread = i == 0, .name = names[i], .seed = test_seed() + i
        };
        CHECK_OK(edo_runtime_create(&rt[i], &config));
    }
}

static void shut_down_all(edo_runtime **rt, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        CHECK_OK(edo_runtime_shutdown(rt[i], EDO_SEC(30)));
}

/* ---- everything they can share ---- */

typedef struct shared {
    edo_chan *c[2];
    edo_mutex m;
    edo_sem s;
    edo_event e;
    edo_notify news;
    edo_oneshot answers[RUNTIMES];
    edo_token *token;
    unsigned inside, rounds, arrived, cancelled, ended;
    edo_runtime *rt[RUNTIMES];
    unsigned next;
} shared;

static int square(void *arg)
{
    return *(int *)arg * *(int *)arg;
}

/* The same body on each runtime; what it waits for is done on another one. */
static int works(void *arg)
{
    shared *x = arg;
    edo_runtime *here = edo_runtime_current();
    for (unsigned i = 0; i < x->rounds; i++) {
        unsigned v = i;
        CHECK_OK(edo_chan_send(x->c[i % 2], &v));
        CHECK_OK(edo_mutex_lock(&x->m));
        CHECK_UINT(ADD(&x->inside, 1), ==, 1);
        CHECK_OK(edo_yield());
        (void)__atomic_sub_fetch(&x->inside, 1, __ATOMIC_ACQ_REL);
        edo_mutex_unlock(&x->m);
        CHECK_OK(edo_sem_acquire(&x->s, 1));
        CHECK_OK(edo_yield());
        edo_sem_release(&x->s, 1);
        edo_case cases[] = { EDO_RECV(x->c[0], &v), EDO_RECV(x->c[1], &v) };
        int which = edo_select(cases, 2);
        CHECK(which >= 0);
        CHECK_OK(cases[which].result);
        int k = (int)(i % 10);
        CHECK_INT(edo_blocking(square, &k), ==, k * k);
        CHECK_PTR(edo_runtime_current(), ==, here); /* whoever woke us */
    }
    ADD(&x->arrived, 1);
    CHECK_INT(edo_token_wait(x->token), ==, 0);
    ADD(&x->ended, 1);
    return 0;
}

static int answers(void *arg)
{
    shared *x = arg;
    unsigned i = 0;
    while (x->rt[i] != edo_runtime_current())
        i++;
    unsigned from;
    CHECK_OK(edo_oneshot_recv(&x->answers[i], &from));
    CHECK_UINT(from, ==, (i + 1) % RUNTIMES);
    ADD(&x->ended, 1);
    return 0;
}

static int asks(void *arg)
{
    shared *x = arg;
    unsigned i = 0;
    while (x->rt[i] != edo_runtime_current())
        i++;
    CHECK_OK(edo_oneshot_send(&x->answers[(i + RUNTIMES - 1) % RUNTIMES], &i));
    ADD(&x->ended, 1);
    return 0;
}

static int runtime_of(void *arg)
{
    shared *x = arg;
    for (int i = 0; i < RUNTIMES; i++) {
        if (x->rt[i] == edo_runtime_current())
            return i;
    }
    return -1;
}

TEST_TIMEOUT(everything_between_them, 60)
{
    enum { EACH = 4 };
    static unsigned slots[RUNTIMES];
    shared x = { .m = EDO_MUTEX_INIT, .e = EDO_EVENT_INIT, .rounds = test_scale(60) };
    CHECK_OK(edo_chan_create(&x.c[0], sizeof(unsigned), EACH * RUNTIMES));
    CHECK_OK(edo_chan_create(&x.c[1], sizeof(unsigned), EACH * RUNTIMES));
    CHECK_OK(edo_token_create(&x.token));
    edo_sem_init(&x.s, 2);
    create_all(x.rt, RUNTIMES);
    for (int i = 0; i < RUNTIMES; i++)
        edo_oneshot_init(&x.answers[i], &slots[i], sizeof slots[i]);
    for (int i = 0; i < RUNTIMES; i++) {
        for (int k = 0; k < EACH; k++)
            CHECK_OK(edo_runtime_spawn(x.rt[i], works, &x));
        CHECK_OK(edo_runtime_spawn(x.rt[i], answers, &x));
        CHECK_OK(edo_runtime_spawn(x.rt[i], asks, &x));
    }
    while (LOAD(&x.arrived) < EACH * RUNTIMES)
        sched_yield();
    edo_token_cancel(x.token);
    for (int i = 0; i < RUNTIMES; i++)
        CHECK_OK(edo_runtime_drain(x.rt[i], EDO_SEC(30)));
    CHECK_UINT(x.ended, ==, (EACH + 2) * RUNTIMES);
    shut_down_all(x.rt, RUNTIMES);
    edo_token_release(x.token);
    edo_chan_unref(x.c[0]);
    edo_chan_unref(x.c[1]);
}

/* A child of a group on one runtime, spawned by a task of another: it runs where the group is. */
typedef struct guests {
    shared *x;
    edo_group g;
    edo_event open, filled;
    int host;
} guests;

static int guest(void *arg)
{
    guests *s = arg;
    CHECK_INT(runtime_of(s->x), ==, s->host);
    CHECK_OK(edo_yield());
    CHECK_INT(runtime_of(s->x), ==, s->host);
    ADD(&s->x->arrived, 1);
    return 0;
}

static int guest_job(void *arg)
{
    ADD(&((guests *)arg)->x->arrived, 1);
    return 0;
}

static int fills(void *arg)
{
    guests *s = arg;
    CHECK_OK(edo_event_wait(&s->open));
    for (int i = 0; i < 100; i++) {
        CHECK_OK(edo_spawn(&s->g, guest, s));
        if (i % 10 == 0)
            CHECK_OK(edo_spawn_blocking(&s->g, guest_job, s));
    }
    edo_event_set(&s->filled);
    ADD(&s->x->ended, 1); /* here it has left s */
    return 0;
}

static int hosts(void *arg)
{
    guests *s = arg;
    s->host = runtime_of(s->x);
    CHECK_OK(edo_group_open(&s->g, NULL));
    edo_event_set(&s->open);
    CHECK_OK(edo_event_wait(&s->filled));
    CHECK_OK(edo_group_close(&s->g));
    return 0;
}

TEST(children_on_another_runtime)
{
    shared x = { .rounds = 0 };
    create_all(x.rt, RUNTIMES);
    for (int host = 0; host < RUNTIMES; host++) {
        guests s = { .x = &x, .open = EDO_EVENT_INIT, .filled = EDO_EVENT_INIT };
        x.arrived = x.ended = 0;
        CHECK_OK(edo_runtime_spawn(x.rt[(host + 1) % RUNTIMES], fills, &s));
        CHECK_OK(edo_runtime_block_on(x.rt[host], hosts, &s));
        CHECK_UINT(x.arrived, ==, 110);
        while (LOAD(&x.ended) == 0)
            sched_yield();
    }
    shut_down_all(x.rt, RUNTIMES);
}

/* ---- one ends, the others go on ---- */

static int floods(void *arg)
{
    shared *x = arg;
    unsigned v = 1;
    int rc;
    while ((rc = edo_chan_send(x->c[0], &v)) == 0)
        ;
    CHECK_INT(rc, ==, -ECANCELED);
    ADD(&x->cancelled, 1);
    return 0;
}

static int waits_for_ever(void *arg)
{
    shared *x = arg;
    int rc = edo_mutex_lock(&x->m);
    CHECK_INT(rc, ==, -ECANCELED);
    ADD(&x->cancelled, 1);
    return 0;
}

static int drains(void *arg)
{
    shared *x = arg;
    unsigned v;
    while (edo_chan_recv(x->c[0], &v) == 0)
        ADD(&x->arrived, 1);
    ADD(&x->ended, 1);
    return 0;
}

static int holds_lock(void *arg)
{
    shared *x = arg;
    CHECK_OK(edo_mutex_lock(&x->m));
    ADD(&x->inside, 1);
    CHECK_OK(edo_event_wait(&x->e));
    edo_mutex_unlock(&x->m);
    CHECK_OK(edo_mutex_lock(&x->m)); /* it is free again: those who waited are gone */
    edo_mutex_unlock(&x->m);
    ADD(&x->ended, 1);
    return 0;
}

TEST_TIMEOUT(one_is_shut_down, 60)
{
    for (unsigned victim = 0; victim < RUNTIMES; victim++) {
        shared x = { .m = EDO_MUTEX_INIT, .e = EDO_EVENT_INIT };
        unsigned other = (victim + 1) % RUNTIMES;
        CHECK_OK(edo_chan_create(&x.c[0], sizeof(unsigned), 2));
        create_all(x.rt, RUNTIMES);
        CHECK_OK(edo_runtime_spawn(x.rt[other], holds_lock, &x));
        while (LOAD(&x.inside) == 0)
            sched_yield();
        for (int i = 0; i < 8; i++) {
            CHECK_OK(edo_runtime_spawn(x.rt[victim], floods, &x));
            CHECK_OK(edo_runtime_spawn(x.rt[victim], waits_for_ever, &x));
        }
        for (unsigned i = 0; i < RUNTIMES; i++) {
            if (i != victim)
                CHECK_OK(edo_runtime_spawn(x.rt[i], drains, &x));
        }
        while (LOAD(&x.arrived) < 1000)
            sched_yield();
        CHECK_OK(edo_runtime_shutdown(x.rt[victim], EDO_SEC(30)));
        CHECK_UINT(x.cancelled, <=, 16); /* one that never ran has not waited */
        unsigned v = 2, before = LOAD(&x.arrived);
        for (int i = 0; i < 100; i++)
            CHECK_OK(edo_chan_send(x.c[0], &v)); /* the receivers are alive */
        edo_event_set(&x.e);
        edo_chan_close(x.c[0]);
        while (LOAD(&x.ended) < RUNTIMES) /* who drains, and who has held the lock */
            sched_yield();
        CHECK_UINT(x.arrived, >=, before + 90);
        for (unsigned i = 0; i < RUNTIMES; i++) {
            if (i != victim)
                CHECK_OK(edo_runtime_shutdown(x.rt[i], EDO_SEC(30)));
        }
        edo_chan_unref(x.c[0]);
    }
}

/* ---- they come and go ---- */

static size_t entries(const char *path)
{
    size_t n = 0;
    DIR *d = opendir(path);
    CHECK(d != NULL);
    while (readdir(d) != NULL)
        n++;
    closedir(d);
    return n;
}

/* A thread that was joined may still be on its way out of the kernel's list. */
static void wait_for_threads(size_t before)
{
    while (entries("/proc/self/task") > before)
        sched_yield();
}

static int uses_a_bit(void *arg)
{
    int k = 3, fds[2];
    (void)arg;
    CHECK_INT(edo_blocking(square, &k), ==, 9);
    CHECK_INT(pipe(fds), ==, 0);
    CHECK_INT(write(fds[1], "x", 1), ==, 1);
    CHECK_INT(edo_wait_fd(fds[0], EDO_READABLE), ==, EDO_READABLE);
    close(fds[0]);
    close(fds[1]);
    CHECK_OK(edo_sleep(EDO_US(10)));
    return 0;
}

static void *ends_at_once(void *arg)
{
    return arg;
}

TEST_TIMEOUT(they_come_and_go, 60)
{
    edo_runtime *rt[RUNTIMES];
    size_t fds = 0, threads;
    pthread_t first; /* a sanitizer or an emulator has threads of its own from then on */
    thread_start(&first, ends_at_once, NULL);
    thread_join(first);
    threads = entries("/proc/self/task");
    for (unsigned round = 0, n = test_scale(60) + 2; round < n; round++) {
        create_all(rt, RUNTIMES);
        for (unsigned i = 0; i < RUNTIMES; i++)
            CHECK_OK(edo_runtime_spawn(rt[i], uses_a_bit, NULL));
        for (unsigned i = 0; i < RUNTIMES; i++)
            CHECK_OK(edo_runtime_block_on(rt[(i + round) % RUNTIMES], uses_a_bit, NULL));
        for (unsigned i = 0; i < RUNTIMES; i++)
            CHECK_OK(edo_runtime_drain(rt[i], EDO_SEC(30)));
        for (unsigned i = 0; i < RUNTIMES; i++) /* one after the other, in changing order */
            CHECK_OK(edo_runtime_shutdown(rt[(i + round) % RUNTIMES], EDO_SEC(30)));
        wait_for_threads(threads);
        if (round == 0)
            fds = entries("/proc/self/fd");
        CHECK_UINT(entries("/proc/self/fd"), ==, fds);
    }
}

/* On several threads at once, each with its own. */
static void *runs_its_own(void *arg)
{
    edo_config config = { .workers = 1 + *(unsigned *)arg % 2 };
    for (unsigned i = 0, n = test_scale(20); i < n; i++)
        CHECK_OK(edo_run(&config, uses_a_bit, NULL));
    return NULL;
}

TEST_TIMEOUT(many_threads_run_one_each, 60)
{
    pthread_t threads[6];
    unsigned index[6];
    for (unsigned i = 0; i < 6; i++) {
        index[i] = i;
        thread_start(&threads[i], runs_its_own, &index[i]);
    }
    for (int i = 0; i < 6; i++)
        thread_join(threads[i]);
}

/* ---- one within another ---- */

typedef struct inner {
    edo_runtime *rt;
    edo_event done;
    unsigned depth, most;
} inner;

static int inner_body(void *arg);

static int shut_down(void *arg)
{
    return edo_runtime_shutdown(arg, EDO_SEC(30));
}

static int block_on_inner(void *arg)
{
    inner *n = arg;
    return edo_runtime_block_on(n->rt, uses_a_bit, NULL);
}

/* A runtime made by a task, used by it, and shut down from the task itself or, better, where
 * blocking harms nobody. */
static int makes_one(void *arg)
{
    inner *outer = arg;
    inner n = { .done = EDO_EVENT_INIT, .depth = outer->depth + 1, .most = outer->most };
    edo_config config = { .workers = 1 + n.depth % 2, .current_thread = n.depth % 3 == 0 };
    if (config.current_thread)
        config.workers = 1;
    edo_runtime *here = edo_runtime_current();
    CHECK_OK(edo_runtime_create(&n.rt, &config));
    CHECK_PTR(edo_runtime_current(), ==, here);
    CHECK_OK(edo_runtime_spawn(n.rt, inner_body, &n));
    CHECK_OK(edo_event_wait(&n.done));
    CHECK_INT(edo_runtime_block_on(n.rt, uses_a_bit, NULL), ==, -EDEADLK);
    CHECK_OK(edo_blocking(block_on_inner, &n));
    CHECK_OK(edo_yield());
    if (n.depth % 2 == 0)
        CHECK_OK(edo_blocking(shut_down, n.rt));
    else
        CHECK_OK(edo_runtime_shutdown(n.rt, EDO_SEC(30)));
    CHECK_PTR(edo_runtime_current(), ==, here);
    return 0;
}

static int inner_body(void *arg)
{
    inner *n = arg;
    CHECK_PTR(edo_runtime_current(), ==, n->rt);
    if (n->depth < n->most)
        CHECK_OK(makes_one(n));
    edo_event_set(&n->done);
    return 0;
}

TEST_TIMEOUT(one_within_another, 60)
{
    EACH_WORKERS(w)
    {
        inner none = { .most = 4 };
        run_on(w, makes_one, &none);
    }
}

/* ---- seen apart ---- */

static unsigned parked; /* tasks that are about to wait */

static int sleeps(void *arg)
{
    (void)arg;
    ADD(&parked, 1);
    CHECK_INT(edo_sleep(EDO_FOREVER), ==, -ECANCELED);
    return 0;
}

static int own_id(void *arg)
{
    *(uint64_t *)arg = edo_task_id();
    return 0;
}

static unsigned count_of(const char *text, const char *what)
{
    unsigned n = 0;
    for (const char *at = strstr(text, what); at != NULL; at = strstr(at + 1, what))
        n++;
    return n;
}

static const char *dump_of(edo_runtime *rt)
{
    static char text[1 << 16];
    FILE *f = fmemopen(text, sizeof text, "w");
    CHECK(f != NULL);
    CHECK_OK(edo_dump(rt, f));
    fclose(f);
    return text;
}

TEST(metrics_and_dumps_are_apart)
{
    static const char *const names[] = { "runtime \"one\"", "runtime \"two\"",
                                         "runtime \"three\"" };
    edo_runtime *rt[RUNTIMES];
    uint64_t id[RUNTIMES];
    create_all(rt, RUNTIMES);
    for (unsigned i = 0; i < RUNTIMES; i++) {
        for (unsigned k = 0; k <= i; k++)
            CHECK_OK(edo_runtime_spawn(rt[i], sleeps, NULL));
        CHECK_OK(edo_runtime_block_on(rt[i], own_id, &id[i]));
    }
    while (LOAD(&parked) < 1 + 2 + 3)
        sched_yield();
    CHECK(id[0] != id[1] && id[1] != id[2] && id[0] != id[2]);
    for (unsigned i = 0; i < RUNTIMES; i++) {
        edo_metrics m;
        const char *text;
        do { /* the task of block_on is still on its way out */
            CHECK_OK(edo_metrics_read(rt[i], &m));
            text = dump_of(rt[i]);
        } while (m.tasks_finished < 1 || strstr(text, "\"main\"") != NULL);
        CHECK_UINT(m.workers, ==, i + 1);
        CHECK_UINT(m.tasks_alive, ==, i + 1);
        CHECK_UINT(m.tasks_spawned, ==, i + 2);
        for (unsigned k = 0; k < RUNTIMES; k++)
            CHECK_UINT(count_of(text, names[k]), ==, i == k);
        CHECK_UINT(count_of(text, "\ntask "), ==, i + 1);
    }
    shut_down_all(rt, RUNTIMES);
}

/* ---- signals and the environment are everybody's ---- */

static unsigned said(const char *path, const char *what)
{
    static char text[1 << 16];
    FILE *f = fopen(path, "r");
    CHECK(f != NULL);
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    return count_of(text, what);
}

static void wait_until_said(const char *path, unsigned n)
{
    while (said(path, "runtime \"one\":") < n || said(path, "runtime \"two\":") < n ||
           said(path, "runtime \"three\":") < n)
        sched_yield();
}

TEST(one_signal_dumps_each_once)
{
    char path[] = "/tmp/edo-runtimes-XXXXXX", number[16];
    int file = mkstemp(path), old = dup(STDERR_FILENO);
    CHECK(file >= 0 && old >= 0);
    snprintf(number, sizeof number, "%d", SIGUSR1);
    setenv("EDO_DUMP_SIGNAL", number, 1);
    setenv("EDO_WORKERS", "2", 1);
    edo_runtime *rt[RUNTIMES];
    create_all(rt, RUNTIMES);
    for (int i = 0; i < RUNTIMES; i++) {
        edo_metrics m;
        CHECK_OK(edo_metrics_read(rt[i], &m));
        CHECK_UINT(m.workers, ==, i == 0 ? 1 : 2);
        CHECK_OK(edo_runtime_spawn(rt[i], sleeps, NULL));
    }
    CHECK_INT(dup2(file, STDERR_FILENO), ==, STDERR_FILENO);
    for (unsigned signals = 1; signals <= 2; signals++) {
        CHECK_INT(kill(getpid(), SIGUSR1), ==, 0);
        wait_until_said(path, signals);
    }
    shut_down_all(rt, RUNTIMES); /* no monitor is left to write more */
    CHECK_INT(dup2(old, STDERR_FILENO), ==, STDERR_FILENO);
    CHECK_UINT(said(path, "edo: runtime \""), ==, 2 * RUNTIMES);
    close(file);
    close(old);
    unlink(path);
}

TEST_MAIN()
