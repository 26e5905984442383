/* SPDX-License-Identifier: MIT */
/* The timer wheel against a naive model: an array of deadlines, looked through every time.
 *
 * What must hold after each expire at `now`: nothing fired before its deadline; nothing is left
 * whose deadline, rounded up to its tick, has come; the wheel and the model agree about what is
 * armed. */
#include "test.h"

#include "core/timer.h"

#define MS INT64_C(1000000)
#define YEAR (INT64_C(31557600) * 1000 * MS)
#define TIMERS 300

typedef struct model {
    edo__timer timer; /* first member */
    bool armed;
    bool fresh; /* armed by a callback of the expire in progress */
} model;

static edo__wheel wheel;
static model models[TIMERS];
static int64_t now;
static bool expiring;
static size_t fired;
static uint64_t seed;

static uint64_t rnd(uint64_t n)
{
    return test_rand(&seed) % n;
}

static int64_t tick_end(int64_t deadline)
{
    if (deadline <= 0)
        return deadline;
    int64_t tick = (deadline - 1) / MS + 1;
    return tick > INT64_MAX / MS ? INT64_MAX : tick * MS;
}

static int64_t random_deadline(void)
{
    static const int64_t spans[] = { 100,       MS,        10 * MS,     64 * MS,
                                     1000 * MS, 4096 * MS, 300000 * MS, YEAR / 100,
                                     YEAR,      5 * YEAR,  150 * YEAR };
    switch (now < INT64_MAX - YEAR ? rnd(20) : 1) {
    case 0: return now - (int64_t)rnd(1000 * MS); /* the past, the present */
    case 1: return INT64_MAX - 1 - (int64_t)rnd(2);
    case 2: return now;
    case 3: return (now / MS + 64) / 64 * 64 * MS + (int64_t)rnd(3) - 1; /* about a boundary */
    case 4: return (now / MS / 20 + 1) * 20 * MS;                        /* many together */
    default: break;
    }
    int64_t span = spans[rnd(sizeof spans / sizeof *spans)];
    int64_t delay = (int64_t)rnd((uint64_t)span);
    return now > INT64_MAX - delay ? INT64_MAX - 1 : now + delay;
}

static void on_fire(edo__timer *t);

static void model_add(model *m)
{
    m->timer.deadline = random_deadline();
    m->timer.fire = on_fire;
    m->armed = true;
    m->fresh = expiring;
    edo__wheel_add(&wheel, &m->timer, now);
}

static void model_remove(model *m)
{
    CHECK_INT(edo__wheel_remove(&wheel, &m->timer), ==, m->armed);
    m->armed = false;
}

static void on_fire(edo__timer *t)
{
    model *m = (model *)t;
    CHECK(expiring);
    CHECK(m->armed && !m->fresh);
    CHECK_INT(t->deadline, <=, now);
    fired++;
    m->armed = false;
    if (rnd(4) == 0) /* itself or another, again */
        for (model *other = &models[rnd(TIMERS)]; other != NULL; other = rnd(2) ? m : NULL)
            if (!other->armed)
                model_add(other);
    if (rnd(8) == 0)
        model_remove(&models[rnd(TIMERS)]);
}

static void step_expire(void)
{
    fired = 0;
    expiring = true;
    size_t n = edo__wheel_expire(&wheel, now);
    expiring = false;
    CHECK_UINT(n, ==, fired);
    size_t armed = 0;
    for (model *m = models; m < models + TIMERS; m++) {
        CHECK_INT(m->timer.armed, ==, m->armed);
        armed += m->armed;
        if (m->armed && !m->fresh && tick_end(m->timer.deadline) < INT64_MAX)
            CHECK_INT(tick_end(m->timer.deadline), >, now);
        m->fresh = false;
    }
    CHECK_UINT(wheel.count, ==, armed);
}

static void check_next(void)
{
    int64_t next = edo__wheel_next(&wheel), limit = INT64_MAX;
    for (model *m = models; m < models + TIMERS; m++)
        if (m->armed && tick_end(m->timer.deadline) < limit)
            limit = tick_end(m->timer.deadline);
    CHECK_INT(next, <=, limit > now || limit == INT64_MAX ? limit : now);
    if (wheel.count == 0)
        CHECK_INT(next, ==, INT64_MAX);
}

static void advance(int64_t by)
{
    now = now > INT64_MAX - by ? INT64_MAX : now + by;
}

static void step(void)
{
    model *m = &models[rnd(TIMERS)];
    switch (rnd(16)) {
    case 0: advance((int64_t)rnd(MS)); break;
    case 1: advance((int64_t)rnd(100 * MS)); break;
    case 2:
        if (edo__wheel_next(&wheel) > now && edo__wheel_next(&wheel) < INT64_MAX)
            now = edo__wheel_next(&wheel);
        break;
    case 3:
        if (rnd(50) == 0)
            advance((int64_t)rnd(YEAR / 10));
        break;
    case 4:
        if (rnd(1000) == 0)
            advance((int64_t)rnd(20 * (uint64_t)YEAR));
        break;
    case 5:
    case 6:
    case 7: step_expire(); break;
    case 8:
    case 9:
    case 10: model_remove(m); break;
    default:
        if (!m->armed)
            model_add(m);
    }
}

static void run(uint64_t with, unsigned steps)
{
    seed = with;
    now = (int64_t)rnd(rnd(2) ? 1000 : 3 * (uint64_t)YEAR);
    memset(models, 0, sizeof models);
    edo__wheel_init(&wheel, now);
    for (unsigned i = 0; i < steps; i++) {
        step();
        if (i % 8 == 0) {
            if (!edo__wheel_validate(&wheel))
                FAIL("invalid after step %u of seed %llu", i, (unsigned long long)with);
            check_next();
        }
    }
    for (model *m = models; m < models + TIMERS; m++)
        model_remove(m);
    CHECK(edo__wheel_validate(&wheel));
    edo__wheel_deinit(&wheel);
}

TEST_TIMEOUT(random_steps, 120)
{
    uint64_t base = test_seed();
    for (unsigned i = 0; i < test_scale(60); i++)
        run(base + i, 10000);
}

static void count(edo__timer *t)
{
    CHECK_INT(t->deadline, ==, now);
    fired++;
}

static int64_t earliest(unsigned n)
{
    int64_t least = INT64_MAX;
    for (unsigned i = 0; i < n; i++)
        if (models[i].timer.armed && models[i].timer.deadline < least)
            least = models[i].timer.deadline;
    return least;
}

/* Few timers at a time: the slots that are looked at one by one, each deadline met exactly. */
TEST_TIMEOUT(exact_when_few, 60)
{
    seed = test_seed();
    memset(models, 0, sizeof models);
    for (unsigned round = 0; round < test_scale(20000); round++) {
        unsigned n = 1 + (unsigned)rnd(6);
        now = (int64_t)rnd(1000 * MS);
        edo__wheel_init(&wheel, now);
        for (unsigned i = 0; i < n; i++) {
            models[i].timer.deadline = now + 1 + (int64_t)rnd(i % 2 ? 300 * MS : 2 * MS);
            models[i].timer.fire = count;
            edo__wheel_add(&wheel, &models[i].timer, now);
        }
        for (fired = 0; fired < n;) {
            now = earliest(n);
            CHECK_INT(edo__wheel_next(&wheel), ==, now);
            CHECK_UINT(edo__wheel_expire(&wheel, now - 1), ==, 0);
            CHECK_UINT(edo__wheel_expire(&wheel, now), >, 0);
        }
        edo__wheel_deinit(&wheel);
    }
}

TEST_MAIN()
