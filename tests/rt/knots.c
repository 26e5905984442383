/* SPDX-License-Identifier: MIT */
/* edo_dump() names deadlocks, with their cycle, and never one that is none. */
#include "knots.h"

static void lock_both(scene *s, edo_mutex *first, edo_mutex *second)
{
    CHECK_OK(edo_mutex_lock(first));
    ADD(&s->step, 1);
    until(&s->step, 2);
    if (edo_mutex_lock(second) == 0)
        edo_mutex_unlock(second);
    edo_mutex_unlock(first);
}

static int a_then_b(void *arg)
{
    lock_both(arg, &((scene *)arg)->a, &((scene *)arg)->b);
    return 0;
}

static int b_then_a(void *arg)
{
    lock_both(arg, &((scene *)arg)->b, &((scene *)arg)->a);
    return 0;
}

static int abba(void *arg)
{
    scene *s = arg;
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    spawn(&g, "ab", a_then_b, s);
    spawn(&g, "ba", b_then_a, s);
    spawn(&g, "busy", busy, s);
    return edo_group_close(&g);
}

TEST(two_tasks_lock_in_opposite_order)
{
    EACH_WORKERS(w)
    {
        scene s;
        scene_open(&s, w, abba);
        char *text = dump_until(s.rt, "deadlock");
        check_cycle(text, "\ndeadlock of 2 tasks:\n", (const char *[]){ "ab", "ba" }, 2);
        check_says(text, "    holds mutex ");
        CHECK(strstr(text, "standstill") == NULL);
        free(text);
        scene_close(&s);
    }
}

/* ---- three tasks, two mutexes and a channel ---- */

static int one(void *arg) /* holds a, waits for b */
{
    scene *s = arg;
    CHECK_OK(edo_mutex_lock(&s->a));
    ADD(&s->step, 1);
    until(&s->step, 3);
    if (edo_mutex_lock(&s->b) == 0)
        edo_mutex_unlock(&s->b);
    edo_mutex_unlock(&s->a);
    return 0;
}

static int two(void *arg) /* holds b, waits for a message */
{
    scene *s = arg;
    int value;
    if (!s->calm)
        CHECK_OK(edo_chan_recv(s->chan, &value));
    CHECK_OK(edo_mutex_lock(&s->b));
    ADD(&s->step, 1);
    until(&s->step, 3);
    int rc = edo_chan_recv(s->chan, &value);
    edo_mutex_unlock(&s->b);
    return rc;
}

static int three(void *arg) /* would send the message, after it has locked a */
{
    scene *s = arg;
    if (!s->calm)
        CHECK_OK(edo_chan_send(s->chan, &(int){ 1 }));
    ADD(&s->step, 1);
    until(&s->step, 3);
    int rc = edo_mutex_lock(&s->a);
    if (rc == 0) {
        rc = edo_chan_send(s->chan, &(int){ 2 });
        edo_mutex_unlock(&s->a);
    }
    return rc;
}

static int triangle(void *arg)
{
    scene *s = arg;
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    spawn(&g, "one", one, s);
    spawn(&g, "two", two, s);
    spawn(&g, "three", three, s);
    return edo_group_close(&g);
}

static int triangle_and_busy(void *arg)
{
    scene *s = arg;
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    spawn(&g, "busy", busy, s);
    (void)triangle(s);
    return edo_group_close(&g);
}

static int triangle_without_a_message(void *arg)
{
    scene *s = arg;
    s->calm = 1;
    return triangle(s);
}

static const char *const triangle_names[] = { "one", "two", "three" };

TEST(three_tasks_on_two_mutexes_and_a_channel)
{
    EACH_WORKERS(w)
    {
        scene s;
        scene_open(&s, w, triangle);
        char *text = dump_until(s.rt, "deadlock");
        check_cycle(text, "\ndeadlock of 3 tasks:\n", triangle_names, 3);
        check_says(text, "sent to by");
        check_says(text, "standstill");
        if (w == 2)
            printf("%.600s...\n", text);
        free(text);
        scene_close(&s);
    }
}

/* Somebody else might send, though nobody else ever did. */
TEST(the_same_is_likely_while_others_run)
{
    scene s;
    scene_open(&s, 2, triangle_and_busy);
    char *text = dump_until(s.rt, "deadlock");
    check_cycle(text, "\nlikely deadlock of 3 tasks", triangle_names, 3);
    CHECK(strstr(text, "\ndeadlock") == NULL);
    free(text);
    scene_close(&s);
}

/* Nobody has sent so far: the one that waits for a lock of the receiver's is supposed to. */
TEST(the_same_is_likely_before_the_first_message)
{
    scene s;
    scene_open(&s, 2, triangle_without_a_message);
    char *text = dump_until(s.rt, "deadlock");
    check_cycle(text, "\nlikely deadlock of 3 tasks", triangle_names, 3);
    free(text);
    scene_close(&s);
}

/* ---- other knots ---- */

static int locks_a(void *arg)
{
    scene *s = arg;
    if (edo_mutex_lock(&s->a) == 0)
        edo_mutex_unlock(&s->a);
    return 0;
}

static int closes_with_lock(void *arg)
{
    scene *s = arg;
    edo_group g;
    CHECK_OK(edo_mutex_lock(&s->a));
    CHECK_OK(edo_group_open(&g, NULL));
    spawn(&g, "sleeper", busy, s);
    spawn(&g, "child", locks_a, s);
    int rc = edo_group_close(&g);
    edo_mutex_unlock(&s->a);
    return rc;
}

static int next_with_lock(void *arg)
{
    scene *s = arg;
    edo_group g;
    edo_result r;
    CHECK_OK(edo_mutex_lock(&s->a));
    CHECK_OK(edo_group_open(&g, NULL));
    spawn(&g, "child", locks_a, s);
    spawn(&g, "second", locks_a, s);
    (void)edo_group_next(&g, &r);
    edo_group_cancel(&g);
    int rc = edo_group_close(&g);
    edo_mutex_unlock(&s->a);
    return rc;
}

static int in_a_task(void *arg, edo_fn *fn)
{
    scene *s = arg;
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    spawn(&g, "closer", fn, s);
    spawn(&g, "busy", busy, s);
    return edo_group_close(&g);
}

static int close_knot(void *arg)
{
    return in_a_task(arg, closes_with_lock);
}

static int next_knot(void *arg)
{
    return in_a_task(arg, next_with_lock);
}

static void group_knot(edo_fn *fn, const char *why)
{
    scene s;
    scene_open(&s, 2, fn);
    char *text = dump_until(s.rt, "deadlock");
    check_cycle(text, "\ndeadlock of 2 tasks:\n", (const char *[]){ "closer", "child" }, 2);
    check_says(text, why);
    free(text);
    scene_close(&s);
}

TEST(a_group_is_closed_under_a_lock_its_child_wants)
{
    group_knot(close_knot, "waits for group to close");
}

TEST(the_next_child_is_waited_for_under_a_lock_all_children_want)
{
    scene s;
    scene_open(&s, 2, next_knot);
    char *text = dump_until(s.rt, "deadlock");
    check_says(text, "\ndeadlock of 2 tasks:\n");
    check_says(text, "waits for next child");
    free(text);
    scene_close(&s);
}

static int locks_twice(void *arg)
{
    scene *s = arg;
    CHECK_OK(edo_mutex_lock(&s->a));
    if (edo_mutex_lock(&s->a) == 0)
        edo_mutex_unlock(&s->a);
    edo_mutex_unlock(&s->a);
    return 0;
}

TEST(a_mutex_is_locked_twice)
{
    scene s;
    scene_open(&s, 1, locks_twice);
    char *text = dump_until(s.rt, "deadlock");
    check_says(text, "\ndeadlock of 1 task:\n");
    check_says(text, "which it holds itself");
    free(text);
    scene_close(&s);
}

/* ---- read-write locks ---- */

typedef struct library {
    edo_runtime *rt;
    edo_rwlock lock, other;
    unsigned step;
} library;

static int reads_twice(void *arg)
{
    library *l = arg;
    CHECK_OK(edo_rwlock_rdlock(&l->lock));
    STORE(&l->step, 1);
    until(&l->step, 2);
    CHECK_OK(edo_yield());
    int rc = edo_rwlock_rdlock(&l->lock); /* behind the writer once that waits */
    if (rc == 0)
        edo_rwlock_unlock(&l->lock);
    edo_rwlock_unlock(&l->lock);
    return rc;
}

static int writes_between(void *arg)
{
    library *l = arg;
    until(&l->step, 1);
    STORE(&l->step, 2);
    int rc = edo_rwlock_wrlock(&l->lock);
    if (rc == 0)
        edo_rwlock_unlock(&l->lock);
    return rc;
}

static int recursive_reader(void *arg)
{
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK(edo_spawn_with(&g, &(edo_task_options){ .name = "reader" }, NULL, reads_twice, arg));
    CHECK_OK(
        edo_spawn_with(&g, &(edo_task_options){ .name = "writer" }, NULL, writes_between, arg));
    return edo_group_close(&g);
}

static int write_then_read(library *l, edo_rwlock *first, edo_rwlock *second)
{
    CHECK_OK(edo_rwlock_wrlock(first));
    ADD(&l->step, 1);
    until(&l->step, 2);
    int rc = edo_rwlock_rdlock(second);
    if (rc == 0)
        edo_rwlock_unlock(second);
    edo_rwlock_unlock(first);
    return rc;
}

static int writes_lock(void *arg)
{
    return write_then_read(arg, &((library *)arg)->lock, &((library *)arg)->other);
}

static int writes_other(void *arg)
{
    return write_then_read(arg, &((library *)arg)->other, &((library *)arg)->lock);
}

static int crossed_writers(void *arg)
{
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    CHECK_OK(edo_spawn_with(&g, &(edo_task_options){ .name = "reader" }, NULL, writes_lock, arg));
    CHECK_OK(edo_spawn_with(&g, &(edo_task_options){ .name = "writer" }, NULL, writes_other, arg));
    return edo_group_close(&g);
}

static void library_knot(edo_fn *fn, const char *why)
{
    library l = { 0 };
    edo_rwlock_init(&l.lock);
    edo_rwlock_init(&l.other);
    CHECK_OK(edo_runtime_create(&l.rt, &(edo_config){ .workers = 1 }));
    CHECK_OK(edo_runtime_spawn(l.rt, fn, &l));
    char *text = dump_until(l.rt, "deadlock");
    check_cycle(text, "\ndeadlock of 2 tasks:\n", (const char *[]){ "reader", "writer" }, 2);
    check_says(text, why);
    free(text);
    CHECK_OK(edo_runtime_shutdown(l.rt, EDO_SEC(20)));
}

TEST(two_writers_read_each_others_lock)
{
    library_knot(crossed_writers, "waits for read lock");
}

TEST(a_reader_reads_again_behind_a_writer)
{
    library_knot(recursive_reader, "in line behind");
}

/* ---- not a deadlock ---- */

static int lock_until_deadline(void *arg)
{
    scene *s = arg;
    edo_scope limit;
    CHECK_OK(edo_scope_open(&limit, EDO_SEC(1000)));
    int rc = edo_mutex_lock(&s->a);
    if (rc == 0)
        edo_mutex_unlock(&s->a);
    return edo_scope_close(&limit, rc);
}

static int closes_with_deadline(void *arg)
{
    scene *s = arg;
    edo_group g;
    CHECK_OK(edo_mutex_lock(&s->a));
    CHECK_OK(edo_group_open(&g, NULL));
    spawn(&g, "patient", lock_until_deadline, s);
    STORE(&s->step, 1);
    int rc = edo_group_close(&g);
    edo_mutex_unlock(&s->a);
    return rc;
}

TEST(a_deadline_will_end_it)
{
    scene s;
    scene_open(&s, 2, closes_with_deadline);
    free(dump_until(s.rt, "waiting for mutex"));
    for (int i = 0; i < 100; i++) {
        char *text = dump_text(s.rt);
        if (strstr(text, "deadlock") != NULL || strstr(text, "standstill") != NULL)
            FAIL("%s", text);
        free(text);
    }
    scene_close(&s);
}

static int waits_for_descriptor(void *arg)
{
    scene *s = arg;
    int pipe_ends[2];
    CHECK_INT(pipe(pipe_ends), ==, 0);
    CHECK_OK(edo_mutex_lock(&s->a));
    STORE(&s->step, 1);
    int rc = edo_wait_fd(pipe_ends[0], EDO_READABLE);
    edo_mutex_unlock(&s->a);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    return rc;
}

static int fd_scene(void *arg)
{
    scene *s = arg;
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    spawn(&g, "reader", waits_for_descriptor, s);
    until(&s->step, 1);
    spawn(&g, "second", locks_a, s);
    return edo_group_close(&g);
}

TEST(a_descriptor_will_end_it)
{
    scene s;
    scene_open(&s, 1, fd_scene);
    /* A dump looks at one task after the other: the first that shows the second waiter may have
       looked at the reader before it waited. */
    free(dump_until(s.rt, "waiting for mutex"));
    char *text = dump_until(s.rt, "to be readable");
    check_says(text, "waiting for mutex");
    CHECK(strstr(text, "deadlock") == NULL && strstr(text, "standstill") == NULL);
    free(text);
    scene_close(&s);
}

static int receives(void *arg)
{
    scene *s = arg;
    int value;
    return edo_chan_recv(s->chan, &value);
}

/* Threads from outside are not known: nothing but the standstill is told. */
TEST(a_thread_outside_will_end_it)
{
    scene s;
    scene_open(&s, 2, receives);
    char *text = dump_until(s.rt, "standstill");
    CHECK(strstr(text, "deadlock") == NULL);
    free(text);
    CHECK_OK(edo_chan_send(s.chan, &(int){ 3 }));
    scene_close(&s);
}

/* ---- a storm of tasks that lock in order, pass messages and close groups ---- */

enum { LOCKS = 6 };

typedef struct storm {
    edo_runtime *rt;
    edo_mutex locks[LOCKS];
    edo_chan *chan;
    unsigned over, rounds;
} storm;

static int storm_leaf(void *arg)
{
    storm *s = arg;
    unsigned low = (unsigned)(edo_task_id() % (LOCKS - 1));
    CHECK_OK(edo_mutex_lock(&s->locks[low]));
    CHECK_OK(edo_mutex_lock(&s->locks[low + 1]));
    CHECK_OK(edo_yield());
    edo_mutex_unlock(&s->locks[low]);
    edo_mutex_unlock(&s->locks[low + 1]);
    return 0;
}

/* Holds the lowest lock, which its children do not take, while it waits for them. */
static int storm_closer(void *arg)
{
    storm *s = arg;
    while (!LOAD(&s->over)) {
        edo_group g;
        edo_result r;
        CHECK_OK(edo_group_open(&g, &(edo_group_options){ .limit = 3 }));
        for (int i = 0; i < 6; i++)
            CHECK_OK(edo_spawn(&g, storm_leaf, s));
        CHECK_INT(edo_group_next(&g, &r), ==, 1);
        CHECK_OK(edo_group_close(&g));
        ADD(&s->rounds, 1);
    }
    return 0;
}

/* A receiver that holds the highest lock, and a sender that needs none. */
static int storm_receiver(void *arg)
{
    storm *s = arg;
    int value = 0;
    while (value >= 0) {
        CHECK_OK(edo_mutex_lock(&s->locks[LOCKS - 1]));
        CHECK_OK(edo_chan_recv(s->chan, &value));
        edo_mutex_unlock(&s->locks[LOCKS - 1]);
    }
    return 0;
}

static int storm_sender(void *arg)
{
    storm *s = arg;
    while (!LOAD(&s->over)) {
        CHECK_OK(edo_chan_send(s->chan, &(int){ 1 }));
        CHECK_OK(edo_sleep(EDO_US(20)));
    }
    return edo_chan_send(s->chan, &(int){ -1 });
}

static int storm_main(void *arg)
{
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < 4; i++)
        CHECK_OK(edo_spawn(&g, storm_closer, arg));
    CHECK_OK(edo_spawn(&g, storm_receiver, arg));
    CHECK_OK(edo_spawn(&g, storm_sender, arg));
    return edo_group_close(&g);
}

static void storm_with(unsigned workers, unsigned dumps)
{
    storm s = { 0 };
    for (int i = 0; i < LOCKS; i++)
        edo_mutex_init(&s.locks[i]);
    CHECK_OK(edo_chan_create(&s.chan, sizeof(int), 0));
    CHECK_OK(edo_runtime_create(&s.rt, &(edo_config){ .workers = workers }));
    CHECK_OK(edo_runtime_spawn(s.rt, storm_main, &s));
    unsigned held = 0, i;
    for (i = 0; i < dumps || held < dumps / 10 || LOAD(&s.rounds) < dumps / 10; i++) {
        char *text = dump_text(s.rt);
        if (strstr(text, "deadlock") != NULL || strstr(text, "standstill") != NULL)
            FAIL("%s", text);
        held += strstr(text, " held by task") != NULL;
        free(text);
    }
    STORE(&s.over, 1);
    edo_metrics m;
    do
        CHECK_OK(edo_metrics_read(s.rt, &m));
    while (m.tasks_alive > 0);
    CHECK_OK(edo_runtime_shutdown(s.rt, EDO_SEC(60)));
    edo_chan_unref(s.chan);
    printf("# %u workers: %u dumps, %u of them with a waiter and its holder; %u rounds\n", workers,
           i, held, LOAD(&s.rounds));
}

TEST_TIMEOUT(a_storm_is_never_called_a_deadlock, 120)
{
    EACH_WORKERS(w)
    storm_with(w, test_scale(2000));
}

TEST_MAIN()
