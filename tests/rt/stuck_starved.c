/* SPDX-License-Identifier: MIT */
/* ctest: serial */
/* Workers whose threads do not get a processor. The kernel's part is played by a signal handler that
 * does not return before other workers have done what the thread was to do: if they do not, the test
 * hangs. And what calling in many spares costs the monitor, which is the only one who could. */
#include "core_test.h"

#include <signal.h>
#include <time.h>
#include <unistd.h>

enum { WORKERS = 2, ROUNDS = 6, NAPS = 3 };

typedef struct crew {
    pthread_t threads[WORKERS];
    pid_t tids[WORKERS];
    unsigned n;
} crew;

static pid_t victim;      /* atomic: whose thread the handler stops; 0: nobody's */
static unsigned stopped;  /* atomic: times it has done so */
static unsigned released; /* atomic: of these, how many may return */
static unsigned returned; /* atomic: ... and have */

static void pause_a_little(void)
{
    nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
}

static void on_signal(int sig)
{
    (void)sig;
    if (LOAD(&victim) != gettid())
        return; /* the monitor asks for a stack */
    unsigned mine = ADD(&stopped, 1);
    while (LOAD(&released) < mine)
        pause_a_little();
    ADD(&returned, 1);
}

/* Each on a worker of its own: none is over before both have begun. */
static int enlist(void *arg)
{
    crew *c = arg;
    unsigned me = ADD(&c->n, 1) - 1;
    if (me < WORKERS) {
        c->threads[me] = pthread_self();
        c->tids[me] = gettid();
    }
    while (LOAD(&c->n) < WORKERS)
        continue;
    return 0;
}

static int enlist_all(void *arg)
{
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < WORKERS; i++)
        CHECK_OK(edo_spawn(&g, enlist, arg));
    return edo_group_close(&g);
}

/* 'S' while it sleeps in the kernel; a worker with nothing to do sleeps nowhere but in its poll. */
static char state_of(pid_t tid)
{
    char path[64], line[256] = "";
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)tid);
    FILE *f = fopen(path, "re");
    CHECK(f != NULL);
    CHECK(fgets(line, sizeof line, f) != NULL);
    fclose(f);
    const char *end = strrchr(line, ')');
    CHECK(end != NULL && end[1] == ' ');
    return end[2];
}

static void wait_for_sleep(const crew *c)
{
    for (int i = 0; i < WORKERS; i++) {
        while (state_of(c->tids[i]) != 'S')
            pause_a_little();
    }
}

static void stop(const crew *c, unsigned which)
{
    unsigned before = LOAD(&stopped);
    STORE(&victim, c->tids[which]);
    CHECK_INT(pthread_kill(c->threads[which], SIGURG), ==, 0);
    while (LOAD(&stopped) == before)
        pause_a_little();
}

static void release(void)
{
    STORE(&victim, 0);
    STORE(&released, LOAD(&stopped));
    while (LOAD(&returned) < LOAD(&released))
        pause_a_little();
}

/* A runtime of two threads, each held by a task at a time so that the handler can name them. */
static edo_runtime *assemble(crew *c)
{
#ifdef __SANITIZE_THREAD__
    SKIP("the sanitizer puts signals off until the thread wakes up");
#endif
#ifdef EDO_FORCE_MIGRATE
    SKIP("tasks are handed round, not stolen");
#endif
    unsetenv("EDO_STUCK_AFTER_MS");
    CHECK_INT(sigaction(SIGURG, &(struct sigaction){ .sa_handler = on_signal }, NULL), ==, 0);
    edo_runtime *rt;
    /* long enough that no worker counts as held here on a busy machine */
    CHECK_OK(edo_runtime_create(
        &rt,
        &(edo_config){ .workers = WORKERS, .stuck_after = EDO_SEC(1000), .seed = test_seed() }));
    *c = (crew){ 0 };
    CHECK_OK(edo_runtime_block_on(rt, enlist_all, c));
    CHECK_UINT(c->n, ==, WORKERS);
    CHECK(c->tids[0] != c->tids[1]);
    return rt;
}

/* ---- work for a worker that is woken but does not come ---- */

static int say_ran(void *arg)
{
    ADD((unsigned *)arg, 1);
    return 0;
}

TEST_TIMEOUT(another_worker_is_woken, 60)
{
    crew c;
    edo_runtime *rt = assemble(&c);
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned ran = 0;
        wait_for_sleep(&c);
        stop(&c, round % WORKERS);
        CHECK_OK(edo_runtime_spawn(rt, say_ran, &ran));
        while (LOAD(&ran) == 0) /* whichever was to be woken */
            pause_a_little();
        release();
    }
    CHECK_OK(edo_runtime_shutdown(rt, EDO_SEC(30)));
}

/* ---- timers of a worker that sleeps beyond them ---- */

typedef struct nap {
    pid_t armed_by;
    unsigned armed, fired;
} nap;

static int take_nap(void *arg)
{
    nap *n = arg;
    n->armed_by = gettid();
    ADD(&n->armed, 1);
    CHECK_OK(edo_sleep(EDO_MS(500))); /* the test stops the worker long before that */
    ADD(&n->fired, 1);
    return 0;
}

TEST_TIMEOUT(timers_fire_elsewhere, 60)
{
    crew c;
    edo_runtime *rt = assemble(&c);
    for (unsigned round = 0; round < NAPS; round++) {
        nap n = { 0 };
        CHECK_OK(edo_runtime_spawn(rt, take_nap, &n));
        while (LOAD(&n.armed) == 0)
            pause_a_little();
        wait_for_sleep(&c);
        if (LOAD(&n.fired) == 0)
            stop(&c, n.armed_by == c.tids[0] ? 0 : 1);
        while (LOAD(&n.fired) == 0)
            pause_a_little();
        release();
    }
    CHECK_OK(edo_runtime_shutdown(rt, EDO_SEC(30)));
}

/* ---- the process's table of descriptors ---- */

enum { CROWD = 140 }; /* two descriptors each: more than a table of 256 has room for */

static unsigned table_size(void)
{
    char line[256];
    unsigned size = 0;
    FILE *f = fopen("/proc/self/status", "re");
    CHECK(f != NULL);
    while (fgets(line, sizeof line, f) != NULL)
        (void)sscanf(line, "FDSize: %u", &size);
    fclose(f);
    CHECK_UINT(size, >, 0);
    return size;
}

static int meet(void *arg)
{
    (void)pthread_barrier_wait(arg);
    return 0;
}

static int gather(void *arg)
{
    unsigned before = table_size();
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < CROWD; i++)
        CHECK_OK(edo_spawn(&g, meet, arg));
    CHECK_OK(edo_group_close(&g));
    CHECK_UINT(table_size(), ==, before);
    return 0;
}

/* While the table grows, the kernel lets whoever opens a descriptor wait for as long as a tenth of a
 * second: that must not be the monitor. */
TEST_TIMEOUT(spares_find_room_for_descriptors, 60)
{
    unsetenv("EDO_STUCK_AFTER_MS");
    pthread_barrier_t b;
    pthread_barrier_init(&b, NULL, CROWD);
    CHECK_OK(edo_run(&(edo_config){ .workers = 1, .stuck_after = EDO_MS(2) }, gather, &b));
    pthread_barrier_destroy(&b);
}

TEST_MAIN()
