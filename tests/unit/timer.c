/* SPDX-License-Identifier: MIT */
/* The timer wheel, case by case. */
#include "test.h"

#include "core/timer.h"

#include <stdlib.h>

#define MS INT64_C(1000000)
#define YEAR (INT64_C(31557600) * 1000 * MS)
#define ORDER_MAX 4096

static edo__wheel wheel;
static edo__timer *order[ORDER_MAX];
static unsigned fired;

static void note(edo__timer *t)
{
    CHECK(!t->armed);
    CHECK_UINT(fired, <, ORDER_MAX);
    order[fired++] = t;
}

static void arm(edo__timer *t, int64_t deadline, int64_t now)
{
    t->deadline = deadline;
    if (t->fire == NULL)
        t->fire = note;
    edo__wheel_add(&wheel, t, now);
    CHECK(t->armed);
    CHECK(edo__wheel_validate(&wheel));
}

static size_t expire(int64_t now)
{
    size_t n = edo__wheel_expire(&wheel, now);
    CHECK(edo__wheel_validate(&wheel));
    return n;
}

TEST(empty)
{
    edo__wheel_init(&wheel, 0);
    CHECK(edo__wheel_validate(&wheel));
    CHECK_INT(edo__wheel_next(&wheel), ==, INT64_MAX);
    CHECK_UINT(expire(0), ==, 0);
    CHECK_UINT(expire(100 * YEAR), ==, 0);
    edo__wheel_deinit(&wheel);
}

/* Alone, a timer fires to the nanosecond, wherever it lies. */
TEST(one_is_exact)
{
    static const int64_t delays[] = {
        1,
        999,
        MS - 1,
        MS,
        MS + 1,
        63 * MS + 7,
        64 * MS,
        65 * MS - 1,
        4096 * MS,
        4097 * MS + 5,
        1000000 * MS + 3,
        YEAR + 11,
        3 * YEAR + 1,
        200 * YEAR + 999999,
    };
    for (size_t i = 0; i < sizeof delays / sizeof *delays; i++) {
        for (int64_t start = 0; start < 130 * MS; start += 7 * MS / 3) {
            edo__timer t = { 0 };
            edo__wheel_init(&wheel, start);
            fired = 0;
            arm(&t, start + delays[i], start);
            CHECK_INT(edo__wheel_next(&wheel), ==, start + delays[i]);
            CHECK_UINT(expire(start + delays[i] - 1), ==, 0);
            CHECK_INT(edo__wheel_next(&wheel), <=, start + delays[i]);
            CHECK_UINT(expire(start + delays[i]), ==, 1);
            CHECK_UINT(fired, ==, 1);
            CHECK_INT(edo__wheel_next(&wheel), ==, INT64_MAX);
            edo__wheel_deinit(&wheel);
        }
    }
}

/* Following edo__wheel_next() leads to every deadline in a bounded number of steps. */
TEST(next_leads_there)
{
    static const int64_t delays[] = { 1, MS, 100 * MS, 5000 * MS, YEAR / 12, 2 * YEAR, 10 * YEAR };
    for (size_t i = 0; i < sizeof delays / sizeof *delays; i++) {
        edo__timer t = { 0 };
        int64_t now = 123456789;
        unsigned steps = 0;
        edo__wheel_init(&wheel, now);
        arm(&t, now + delays[i], now);
        for (; t.armed; steps++) {
            CHECK_INT(edo__wheel_next(&wheel), >, now);
            now = edo__wheel_next(&wheel);
            (void)expire(now);
            CHECK_UINT(steps, <, 20);
        }
        CHECK_INT(now, ==, 123456789 + delays[i]);
        edo__wheel_deinit(&wheel);
    }
}

TEST(past_fires_at_next_expire)
{
    edo__timer t[3] = { 0 };
    edo__wheel_init(&wheel, 10 * MS);
    arm(&t[0], 10 * MS, 10 * MS);
    arm(&t[1], 0, 10 * MS);
    arm(&t[2], INT64_MIN, 10 * MS);
    CHECK_INT(edo__wheel_next(&wheel), <=, 10 * MS);
    CHECK(edo__wheel_remove(&wheel, &t[1]));
    CHECK(!edo__wheel_remove(&wheel, &t[1]));
    CHECK_UINT(expire(10 * MS), ==, 2);
    CHECK_PTR(order[0], ==, &t[0]);
    CHECK_PTR(order[1], ==, &t[2]);
    edo__wheel_deinit(&wheel);
}

/* The adder's clock may be behind the wheel's: another thread expired meanwhile. */
TEST(stale_now)
{
    edo__timer t[2] = { 0 };
    edo__wheel_init(&wheel, 0);
    arm(&t[0], 50 * MS, 0);
    CHECK_UINT(expire(50 * MS), ==, 1);
    arm(&t[1], 20 * MS, 10 * MS);
    CHECK_UINT(expire(50 * MS), ==, 1);
    CHECK(!t[1].armed);
    edo__wheel_deinit(&wheel);
}

/* Many in one tick fire together, at its end and never before. */
TEST(many_in_a_slot)
{
    static edo__timer t[1000];
    edo__wheel_init(&wheel, 0);
    for (int i = 0; i < 1000; i++)
        arm(&t[i], 70 * MS + 1 + i * 999, 0);
    CHECK_INT(edo__wheel_next(&wheel), <=, 71 * MS);
    CHECK_UINT(expire(edo__wheel_next(&wheel)), ==, 0);
    CHECK_INT(edo__wheel_next(&wheel), ==, 71 * MS);
    for (int i = 0; i < 1000; i += 2)
        CHECK(edo__wheel_remove(&wheel, &t[i]));
    CHECK_UINT(expire(71 * MS - 1), ==, 0);
    CHECK_UINT(expire(71 * MS), ==, 500);
    for (int i = 0; i < 500; i++)
        CHECK_PTR(order[i], ==, &t[2 * i + 1]);
    edo__wheel_deinit(&wheel);
}

TEST(order_of_ticks)
{
    static edo__timer t[2000];
    uint64_t seed = test_seed();
    edo__wheel_init(&wheel, 0);
    for (int i = 0; i < 2000; i++)
        arm(&t[i], (int64_t)(test_rand(&seed) % (20 * 60 * 1000)) * MS, 0);
    CHECK_UINT(expire(YEAR), ==, 2000);
    for (int i = 1; i < 2000; i++)
        CHECK_INT(order[i]->deadline, >=, order[i - 1]->deadline);
    edo__wheel_deinit(&wheel);
}

/* What was armed for the same time from far away and from close by fires in order. */
TEST(order_of_wheel_and_heap)
{
    static edo__timer t[9];
    edo__wheel_init(&wheel, 0);
    for (int i = 0; i < 8; i++)
        arm(&t[i], (i / 4 ? 9 : 3) * MS - 1 - i, 0);
    CHECK_UINT(expire(2 * MS), ==, 0);
    arm(&t[8], 4 * MS + 1, 4 * MS);
    CHECK_UINT(wheel.heap_len, ==, 1);
    CHECK_UINT(expire(20 * MS), ==, 9);
    CHECK_PTR(order[4], ==, &t[8]);
    edo__wheel_deinit(&wheel);
}

TEST(end_of_time)
{
    edo__timer t[3] = { 0 };
    edo__wheel_init(&wheel, 5);
    arm(&t[0], INT64_MAX - 1, 5);
    arm(&t[1], INT64_MAX, 5);
    arm(&t[2], 3 * YEAR, 5);
    CHECK_UINT(expire(3 * YEAR), ==, 1);
    CHECK_UINT(expire(290 * YEAR), ==, 0);
    CHECK_UINT(expire(INT64_MAX - 2), ==, 0);
    CHECK_UINT(expire(INT64_MAX - 1), ==, 1);
    CHECK(edo__wheel_remove(&wheel, &t[1]));
    edo__wheel_deinit(&wheel);
}

/* A far timer waits in a slot it does not belong to: it must not hide one that is earlier. */
TEST(far_hides_nobody)
{
    edo__timer far = { 0 }, near = { 0 }, step = { 0 };
    int64_t turn = (INT64_C(1) << 36) * MS, slot = turn / 64, now = 5 * slot;
    edo__wheel_init(&wheel, 0);
    arm(&far, 100 * turn, 0);
    arm(&step, now, 0);
    CHECK_UINT(expire(now), ==, 1);
    arm(&step, now + MS, now);
    arm(&near, now + slot * 60 + MS, now);
    while (near.armed) {
        now = edo__wheel_next(&wheel);
        (void)expire(now);
    }
    CHECK_INT(now, ==, 65 * slot + MS);
    CHECK(far.armed);
    CHECK(edo__wheel_remove(&wheel, &far));
    edo__wheel_deinit(&wheel);
}

static edo__timer again;
static void fire_again(edo__timer *t)
{
    fired++;
    t->deadline = fired % 2 ? 0 : t->deadline + MS; /* the past, or not reached by this expire */
    edo__wheel_add(&wheel, t, 0);
}

/* A callback that always arms anew cannot keep expire from returning. */
TEST(expire_ends)
{
    again.fire = fire_again;
    edo__wheel_init(&wheel, 0);
    arm(&again, 3 * MS, 0);
    CHECK_UINT(expire(1000 * MS), ==, 1);
    CHECK(again.armed);
    CHECK_INT(edo__wheel_next(&wheel), <=, 1000 * MS);
    CHECK_UINT(expire(1000 * MS), ==, 1);
    CHECK_UINT(expire(1000 * MS), ==, 1);
    CHECK(edo__wheel_remove(&wheel, &again));
    edo__wheel_deinit(&wheel);
}

static edo__timer group[8];
static void fire_removes_rest(edo__timer *t)
{
    fired++;
    for (int i = 0; i < 8; i++)
        if (&group[i] != t)
            CHECK(edo__wheel_remove(&wheel, &group[i]));
}

static void check_removes_rest(int64_t deadline, int64_t spread, int64_t now)
{
    edo__wheel_init(&wheel, now);
    fired = 0;
    for (int i = 0; i < 8; i++) {
        group[i].fire = fire_removes_rest;
        arm(&group[i], deadline + i * spread, now);
    }
    CHECK_UINT(expire(deadline + 8 * spread + MS), ==, 1);
    CHECK_UINT(fired, ==, 1);
    CHECK_UINT(wheel.count, ==, 0);
    CHECK_INT(edo__wheel_next(&wheel), ==, INT64_MAX);
    edo__wheel_deinit(&wheel);
}

TEST(callback_removes_others)
{
    check_removes_rest(0, 1, 10 * MS);       /* what had passed       */
    check_removes_rest(10 * MS, 1, 0);       /* the same slot         */
    check_removes_rest(64 * MS, 0, 0);       /* a cascade in between  */
    check_removes_rest(10, 1, 0);            /* the heap              */
    check_removes_rest(50 * MS, 97 * MS, 0); /* different levels      */
}

static void *no_memory(void *p, size_t size)
{
    (void)p, (void)size;
    return NULL;
}

TEST(heap_cannot_grow)
{
    static edo__timer t[100];
    edo__wheel_init(&wheel, 0);
    for (int i = 0; i < 100; i++) {
        if (i == 10 || i == 64)
            edo__wheel_realloc = no_memory;
        arm(&t[i], 1000 + i, 0);
        if (i == 10)
            edo__wheel_realloc = realloc;
    }
    CHECK_UINT(wheel.heap_len, ==, 64);
    CHECK(edo__wheel_remove(&wheel, &t[80]));
    CHECK_UINT(expire(1009), ==, 10);
    CHECK_UINT(expire(MS), ==, 89);
    edo__wheel_deinit(&wheel);
}

TEST(heap_is_sorted)
{
    static edo__timer t[1000];
    uint64_t seed = test_seed();
    unsigned left = 1000;
    edo__wheel_init(&wheel, 0);
    for (unsigned i = 0; i < 1000; i++)
        arm(&t[i], (int64_t)(1 + test_rand(&seed) % (MS - 1)), 0);
    for (unsigned i = 0; i < 1000; i += 3, left--)
        CHECK(edo__wheel_remove(&wheel, &t[i]));
    CHECK(edo__wheel_validate(&wheel));
    while (edo__wheel_next(&wheel) != INT64_MAX)
        (void)expire(edo__wheel_next(&wheel));
    CHECK_UINT(fired, ==, left);
    for (unsigned i = 1; i < fired; i++)
        CHECK_INT(order[i]->deadline, >=, order[i - 1]->deadline);
    edo__wheel_deinit(&wheel);
}

/* A full slot moves down little by little before time reaches it, and then nothing is left to move. */
TEST(moves_are_spread)
{
    enum { MANY = 640 };
    static edo__timer t[MANY], every; /* that one has it look at each tick */
    edo__wheel_init(&wheel, 0);
    for (int i = 0; i < MANY; i++)
        arm(&t[i], (128 + i % 64) * MS, 0);
    unsigned before = MANY, most = 0;
    for (int64_t tick = 1; tick < 128; tick++) {
        arm(&every, tick * MS, (tick - 1) * MS);
        CHECK_UINT(expire(tick * MS), ==, 1);
        CHECK(edo__wheel_validate(&wheel));
        unsigned above = 0;
        for (int i = 0; i < MANY; i++)
            above += t[i].armed && t[i].level > 0;
        most = before - above > most ? before - above : most;
        before = above;
    }
    CHECK_UINT(before, ==, 0);
    CHECK_UINT(most, <=, MANY / 4 + 1);
    CHECK_UINT(expire(200 * MS), ==, MANY);
    edo__wheel_deinit(&wheel);
}

/* Slots of two levels start with one tick: both are entered with it. */
TEST(two_levels_at_once)
{
    enum { MANY = 3000, START = 2 * 64 * 64 }; /* more than move ahead of time */
    static edo__timer upper[MANY], lower, step;
    edo__wheel_init(&wheel, 0);
    for (int i = 0; i < MANY; i++)
        arm(&upper[i], (START + 5) * MS, 0);
    arm(&step, (START - 129) * MS, 0);
    CHECK_UINT(expire((START - 129) * MS), ==, 1);
    arm(&lower, (START + 1) * MS, wheel.now);
    CHECK_INT(lower.level, ==, 1);
    CHECK_INT(upper[MANY - 1].level, ==, 2);
    CHECK_UINT(expire((START + 2) * MS), ==, 1);
    CHECK(!lower.armed);
    CHECK(edo__wheel_validate(&wheel));
    CHECK_UINT(expire((START + 5) * MS), ==, MANY);
    edo__wheel_deinit(&wheel);
}

/* validate() itself: each kind of damage is seen. */
TEST(validate_sees_damage)
{
    edo__timer t[3] = { 0 };
    edo__wheel_init(&wheel, 0);
    arm(&t[0], 5 * MS, 0);
    arm(&t[1], 10, 0);
    arm(&t[2], 500 * MS, 0);
#define DAMAGE(member_, value_)                                                                    \
    do {                                                                                           \
        __typeof__(member_) saved_ = (member_);                                                    \
        (member_) = (value_);                                                                      \
        CHECK(!edo__wheel_validate(&wheel));                                                       \
        (member_) = saved_;                                                                        \
        CHECK(edo__wheel_validate(&wheel));                                                        \
    } while (0)
    DAMAGE(wheel.count, 2);
    DAMAGE(wheel.next, 11);
    DAMAGE(wheel.elapsed, 5);
    DAMAGE(wheel.occupied[0][0], 0);
    DAMAGE(wheel.occupied[3][0], 4);
    DAMAGE(wheel.occupied[0][1], 1);
    DAMAGE(t[0].deadline, 50 * MS);
    DAMAGE(t[0].level, 1);
    DAMAGE(t[0].armed, false);
    DAMAGE(t[1].heap_index, 2);
    DAMAGE(t[1].deadline, 9);
    DAMAGE(t[2].deadline, 5000 * MS);
    for (int i = 0; i < 3; i++)
        CHECK(edo__wheel_remove(&wheel, &t[i]));
    edo__wheel_deinit(&wheel);
}

TEST_MAIN()
