/* SPDX-License-Identifier: MIT */
/* Threads of the program beside tasks: they wait, lock, send, sleep and cancel with the same
 * calls. */
#include "core_test.h"

#define ROUNDS 400

typedef struct mix {
    edo_mutex mutex;
    edo_sem sem;
    edo_event event;
    edo_chan *chan;
    long counter;    /* under the mutex */
    unsigned inside; /* the semaphore's permits are 3 */
    unsigned received;
    unsigned done;
} mix;

static int member(void *arg)
{
    mix *m = arg;
    for (int i = 0; i < ROUNDS; i++) {
        CHECK_OK(edo_mutex_lock(&m->mutex));
        long seen = m->counter;
        if (i % 16 == 0)
            CHECK_OK(edo_yield());
        m->counter = seen + 1;
        edo_mutex_unlock(&m->mutex);
        CHECK_OK(edo_sem_acquire(&m->sem, 1));
        CHECK_UINT(ADD(&m->inside, 1), <=, 3);
        if (i % 32 == 0)
            CHECK_OK(edo_sleep(EDO_US(20)));
        ADD(&m->inside, -1u);
        edo_sem_release(&m->sem, 1);
        int v = i;
        if (i % 2 == 0)
            CHECK_OK(edo_chan_send(m->chan, &v));
        else
            CHECK_OK(edo_chan_recv(m->chan, &v));
    }
    if (ADD(&m->done, 1) == 12)
        edo_event_set(&m->event);
    CHECK_OK(edo_event_wait(&m->event));
    return 0;
}

static void *member_thread(void *arg)
{
    CHECK_UINT(edo_task_id(), ==, 0);
    CHECK_PTR(edo_runtime_current(), ==, NULL);
    CHECK_INT(member(arg), ==, 0);
    return NULL;
}

static int mixed(void *arg)
{
    (void)arg;
    mix m = { 0 };
    pthread_t threads[6];
    edo_group g;
    edo_mutex_init(&m.mutex);
    edo_sem_init(&m.sem, 3);
    edo_event_init(&m.event, EDO_EVENT_MANUAL);
    CHECK_OK(edo_chan_create(&m.chan, sizeof(int), 12)); /* each sends, then receives */
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < 6; i++)
        thread_start(&threads[i], member_thread, &m);
    for (int i = 0; i < 6; i++)
        CHECK_OK(edo_spawn(&g, member, &m));
    CHECK_INT(edo_group_close(&g), ==, 0);
    for (int i = 0; i < 6; i++)
        thread_join(threads[i]);
    CHECK_INT(m.counter, ==, 12 * ROUNDS);
    CHECK_UINT(edo_chan_len(m.chan), ==, 0);
    edo_chan_unref(m.chan);
    return 0;
}

TEST_TIMEOUT(threads_and_tasks_mixed, 60)
{
    EACH_WORKERS(w)
    run_on(w, mixed, NULL);
}

/* Threads alone: no runtime is needed. */
static void *rendezvous(void *arg)
{
    edo_chan **c = arg;
    int v;
    for (int i = 0; i < 200; i++) {
        CHECK_OK(edo_chan_recv(c[0], &v));
        CHECK_INT(v, ==, i);
        CHECK_OK(edo_chan_send(c[1], &v));
    }
    return NULL;
}

TEST(without_a_runtime)
{
    edo_chan *c[2];
    pthread_t thread;
    CHECK_OK(edo_chan_create(&c[0], sizeof(int), 0));
    CHECK_OK(edo_chan_create(&c[1], sizeof(int), 0));
    thread_start(&thread, rendezvous, c);
    for (int i = 0; i < 200; i++) {
        int v = i;
        CHECK_OK(edo_chan_send(c[0], &v));
        CHECK_OK(edo_chan_recv(c[1], &v));
        CHECK_INT(v, ==, i);
    }
    thread_join(thread);
    edo_chan_unref(c[0]);
    edo_chan_unref(c[1]);
    int64_t before = edo_now();
    CHECK_INT(edo_sleep(EDO_MS(2)), ==, 0);
    CHECK_INT(edo_now() - before, >=, EDO_MS(2));
    CHECK_INT(edo_yield(), ==, 0);
    edo_group g;
    CHECK_INT(edo_group_open(&g, NULL), ==, -EPERM);
    CHECK_INT(edo_clock_pause(), ==, -EPERM);
    edo_metrics m;
    CHECK_INT(edo_metrics_read(NULL, &m), ==, -EPERM);
    CHECK_INT(edo_dump(NULL, stderr), ==, -EPERM);
}

/* Hundreds of short-lived threads, each with a stand-in: freed at their end (leak checkers
 * look). */
static void *short_life(void *arg)
{
    edo_scope s;
    edo_scope_open(&s, EDO_US(300));
    int rc = edo_scope_close(&s, edo_event_wait(arg));
    CHECK(rc == 0 || rc == -ETIMEDOUT);
    return NULL;
}

TEST(short_lived_threads)
{
    edo_event e = EDO_EVENT_INIT;
    for (int i = 0; i < 100; i++) {
        pthread_t threads[4];
        for (int k = 0; k < 4; k++)
            thread_start(&threads[k], short_life, &e);
        if (i % 2)
            edo_event_set(&e);
        for (int k = 0; k < 4; k++)
            thread_join(threads[k]);
        edo_event_reset(&e);
    }
}

/* A destructor of thread-specific data that still uses the library, in whatever order they run. */
static pthread_key_t early, late;

static void last_wait(void *value)
{
    edo_scope s;
    edo_scope_open(&s, EDO_US(50));
    CHECK_INT(edo_scope_close(&s, edo_sleep(EDO_FOREVER)), ==, -ETIMEDOUT);
    (void)value;
}

static void *with_keys(void *arg)
{
    pthread_setspecific(early, arg);
    pthread_setspecific(late, arg);
    CHECK_OK(edo_sleep(EDO_US(10)));
    return NULL;
}

TEST(waiting_in_a_thread_key_destructor)
{
    CHECK_INT(pthread_key_create(&early, last_wait), ==, 0);
    CHECK_OK(edo_sleep(EDO_US(10)));
    CHECK_INT(pthread_key_create(&late, last_wait), ==, 0);
    for (int i = 0; i < 20; i++) {
        pthread_t thread;
        thread_start(&thread, with_keys, &early);
        thread_join(thread);
    }
}

/* Calls that only a task may make. */
static int blocking_calls_itself(void *arg)
{
    *(pthread_t *)arg = pthread_self();
    return 21;
}

TEST(blocking_on_a_thread)
{
    pthread_t by = 0;
    CHECK_INT(edo_blocking(blocking_calls_itself, &by), ==, 21);
    CHECK(pthread_equal(by, pthread_self()));
    CHECK_INT(edo_cpu(blocking_calls_itself, &by), ==, 21);
}

TEST_MAIN()
