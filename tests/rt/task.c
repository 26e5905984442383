/* SPDX-License-Identifier: MIT */
/* What a task knows of itself: id, name, and the worker it is pinned to. */
#include "core_test.h"

#include <sys/syscall.h>
#include <unistd.h>

static pid_t thread_id(void)
{
    return (pid_t)syscall(SYS_gettid);
}

/* ---- ids ---- */

#define IDS 20000

typedef struct ids {
    uint64_t id[IDS];
    unsigned n;
} ids;

static ids all_ids;

static int note_id(void *arg)
{
    ids *all = arg;
    unsigned i = ADD(&all->n, 1) - 1;
    all->id[i] = edo_task_id();
    uint64_t before = edo_task_id();
    CHECK_OK(edo_yield());
    CHECK_UINT(edo_task_id(), ==, before);
    return 0;
}

static int compare_ids(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void check_ids(void)
{
    qsort(all_ids.id, all_ids.n, sizeof all_ids.id[0], compare_ids);
    for (unsigned i = 0; i < all_ids.n; i++) {
        CHECK_UINT(all_ids.id[i], !=, 0);
        if (i > 0)
            CHECK_UINT(all_ids.id[i - 1], !=, all_ids.id[i]);
    }
}

static int many_ids(void *arg)
{
    edo_group g;
    CHECK_OK(edo_group_open(&g, &(edo_group_options){ .limit = 50 }));
    for (unsigned i = 0; i < *(unsigned *)arg; i++)
        CHECK_OK(edo_spawn(&g, note_id, &all_ids));
    CHECK_INT(edo_group_close(&g), ==, 0);
    return 0;
}

TEST(ids_are_unique_in_a_runtime)
{
    EACH_WORKERS(w)
    {
        all_ids.n = 0;
        run_on(w, many_ids, &(unsigned){ IDS });
        check_ids();
    }
    CHECK_UINT(edo_task_id(), ==, 0);
    CHECK_STR(edo_task_name(), "");
}

TEST(ids_are_unique_in_the_process)
{
    edo_runtime *a, *b;
    all_ids.n = 0;
    CHECK_OK(edo_runtime_create(&a, &(edo_config){ .workers = 1 }));
    CHECK_OK(edo_runtime_create(&b, &(edo_config){ .workers = 2 }));
    for (int i = 0; i < 5; i++) {
        CHECK_OK(edo_runtime_block_on(a, many_ids, &(unsigned){ 100 }));
        CHECK_OK(edo_runtime_block_on(b, many_ids, &(unsigned){ 100 }));
    }
    CHECK_OK(edo_runtime_shutdown(a, EDO_SEC(10)));
    CHECK_OK(edo_runtime_shutdown(b, EDO_SEC(10)));
    for (int i = 0; i < 20; i++)
        run_on(1, many_ids, &(unsigned){ 100 });
    check_ids();
}

/* ---- names ---- */

static int check_name(void *arg)
{
    CHECK_STR(edo_task_name(), arg);
    CHECK_OK(edo_yield());
    CHECK_STR(edo_task_name(), arg);
    return 0;
}

static int names(void *arg)
{
    (void)arg;
    edo_group g;
    char name[40];
    CHECK_OK(edo_group_open(&g, NULL));
    strcpy(name, "copied");
    CHECK_OK(edo_spawn_with(&g, &(edo_task_options){ .name = name }, NULL, check_name, "copied"));
    strcpy(name, "overwritten");
    CHECK_OK(edo_spawn_with(&g, &(edo_task_options){ .name = "12345678901234567890123456789" },
                            NULL, check_name, "12345678901234567890123"));
    CHECK_OK(edo_spawn_with(&g, &(edo_task_options){ 0 }, NULL, check_name, ""));
    CHECK_OK(edo_spawn(&g, check_name, ""));
    CHECK_INT(edo_group_close(&g), ==, 0);
    /* slots are used again: no name stays behind */
    for (int i = 0; i < 300; i++) {
        CHECK_OK(edo_group_open(&g, NULL));
        CHECK_OK(edo_spawn_with(&g, &(edo_task_options){ .name = i % 2 ? "x" : NULL }, NULL,
                                check_name, i % 2 ? "x" : ""));
        CHECK_OK(edo_spawn(&g, check_name, ""));
        CHECK_INT(edo_group_close(&g), ==, 0);
    }
    return 0;
}

TEST(names_are_copied_and_cut)
{
    EACH_WORKERS(w)
    run_on(w, names, NULL);
}

/* ---- pins ---- */

static int pinned(void *arg)
{
    bool by_option = arg != NULL;
    if (!by_option)
        CHECK_OK(edo_task_pin(true));
    pid_t home = thread_id();
    for (int i = 0; i < 50; i++) {
        CHECK_OK(i % 5 ? edo_yield() : edo_sleep(EDO_US(20)));
        CHECK_INT(thread_id(), ==, home);
    }
    if (by_option)
        return 0;
    CHECK_OK(edo_task_pin(true)); /* counted */
    CHECK_OK(edo_task_pin(false));
    for (int i = 0; i < 50; i++) {
        CHECK_OK(edo_yield());
        CHECK_INT(thread_id(), ==, home);
    }
    CHECK_OK(edo_task_pin(false));
    CHECK_OK(edo_yield());
    return 0;
}

static int noise(void *arg)
{
    (void)arg;
    for (int i = 0; i < 200; i++)
        CHECK_OK(edo_yield());
    return 0;
}

static int pins(void *arg)
{
    (void)arg;
    edo_group g;
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < 10; i++) {
        CHECK_OK(edo_spawn(&g, noise, NULL));
        CHECK_OK(edo_spawn(&g, pinned, NULL));
        CHECK_OK(edo_spawn_with(&g, &(edo_task_options){ .pinned = true }, NULL, pinned, &g));
    }
    CHECK_INT(edo_group_close(&g), ==, 0);
    return 0;
}

TEST(a_pinned_task_stays_on_its_thread)
{
    EACH_WORKERS(w)
    run_on(w, pins, NULL);
    CHECK_INT(edo_task_pin(true), ==, -EPERM);
}

/* A pinned task is woken by threads from outside, and by other workers. */
static int pinned_waiter(void *arg)
{
    CHECK_OK(edo_task_pin(true));
    pid_t home = thread_id();
    for (int i = 0; i < 200; i++) {
        CHECK_OK(edo_event_wait(arg));
        CHECK_INT(thread_id(), ==, home);
    }
    CHECK_OK(edo_task_pin(false));
    return 0;
}

typedef struct poking {
    edo_event *event;
    unsigned over;
} poking;

static void *poke_thread(void *arg)
{
    poking *p = arg;
    while (!LOAD(&p->over)) {
        edo_event_set(p->event);
        sched_yield();
    }
    return NULL;
}

static int pin_and_poke(void *arg)
{
    (void)arg;
    edo_event event;
    edo_event_init(&event, EDO_EVENT_AUTO);
    poking p = { &event, 0 };
    pthread_t thread;
    edo_group g;
    thread_start(&thread, poke_thread, &p);
    CHECK_OK(edo_group_open(&g, NULL));
    for (int i = 0; i < 3; i++)
        CHECK_OK(edo_spawn(&g, pinned_waiter, &event));
    CHECK_INT(edo_group_close(&g), ==, 0);
    STORE(&p.over, 1);
    thread_join(thread);
    return 0;
}

TEST(a_pinned_task_is_woken_from_outside)
{
    EACH_WORKERS(w)
    run_on(w, pin_and_poke, NULL);
}

/* ---- stack classes ---- */

static int use_stack(void *arg)
{
    size_t n = *(size_t *)arg;
    volatile char here[512];
    here[0] = (char)n;
    here[511] = 1;
    if (n > sizeof here * 2) {
        size_t rest = n - sizeof here * 2;
        CHECK_INT(use_stack(&rest), ==, 0);
    }
    CHECK_INT(here[0], ==, (char)n);
    return 0;
}

static int stack_classes(void *arg)
{
    (void)arg;
    edo_group g;
    size_t sizes[] = { 1, 16 << 10, 32 << 10, 100 << 10, 256 << 10, 1 << 20, (size_t)64 << 20 };
    size_t use[] = { 1 << 10, 2 << 10, 8 << 10, 40 << 10, 100 << 10, 500 << 10, 500 << 10 };
    CHECK_OK(edo_group_open(&g, NULL));
    for (int round = 0; round < 10; round++)
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
            CHECK_OK(edo_spawn_with(&g, &(edo_task_options){ .stack_size = sizes[i] }, NULL,
                                    use_stack, &use[i]));
    CHECK_INT(edo_group_close(&g), ==, 0);
    return 0;
}

TEST(stacks_of_every_class)
{
    EACH_WORKERS(w)
    run_on(w, stack_classes, NULL);
}

TEST_MAIN()
