/* SPDX-License-Identifier: MIT */
/* The blocking pool (core/pool.c, pool_thread.c): jobs that come while threads start, fail to start,
 * fall asleep, grow old and leave, and while the pool is taken down. Every job that was accepted runs
 * once, and none waits for a thread as long as there may be one more; a job that waits for another
 * one's end shows that. Threads are joined once each.
 *
 *     j   submits a job     b   submits one that lasts until all others have run
 *     d   takes the pool down when all others are through */
#define EDO_MODEL 1
#define EDO_DEBUG 1
#include "model.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "arch/futex.h"
#include "base/cpu.h"
#include "core/pool_thread.h"

enum { SUBMITTERS = 3, WORKERS = 3, JOBS = 4 };

static int mutex_lock(pthread_mutex_t *m);
static int mutex_unlock(pthread_mutex_t *m);
static int join_thread(pthread_t t);
static int time_passes(struct timespec *ts);
static void *model_alloc(size_t size);

#define edo__cpu_relax() ((void)0)
#define pthread_mutex_lock mutex_lock
#define pthread_mutex_unlock mutex_unlock
#define pthread_setname_np(thread_, name_) ((void)(thread_), 0)
#define pthread_self() ((pthread_t)model_current())
#define pthread_join(thread_, code_) join_thread(thread_)
#define pthread_sigmask(how_, set_, old_) ((void)(set_), (void)(old_))
#define clock_gettime(clock_, ts_) time_passes(ts_)
#define aligned_alloc(align_, size_) model_alloc(size_)
#define free(p_) ((void)(p_)) /* a record is used once */

#include "core/pool.c"
#include "core/pool_thread.c"

#undef edo__cpu_relax
#undef free
#undef pthread_join
#undef pthread_self

#include "checker.h"
#include "test.h"
#include "verdict.h"

typedef struct setup {
    const char *programs[SUBMITTERS];
    uint32_t max;
    unsigned refuse; /* the thread by this number cannot be had; from 1 */
    bool ages;       /* who sleeps grows old at any time */
} setup;

static setup cfg;
static edo__pool pool;
static edo__pool_thread records[WORKERS];
static edo__job jobs[JOBS];
static uint32_t first_lock;       /* atomic: the kernel's */
static uint32_t started[WORKERS]; /* atomic */
static uint32_t over[WORKERS];    /* atomic: its thread has ended */
static void *args[WORKERS];
static uint32_t ran;     /* atomic: jobs */
static uint32_t through; /* atomic: submitters */
static int64_t instant;
static struct {
    uint8_t records, created, submitted, accepted, refused;
    uint8_t runs[JOBS], lasts[JOBS], joined[WORKERS];
} notes;

static unsigned submitters(void)
{
    unsigned n = 0;
    while (n < SUBMITTERS && cfg.programs[n] != NULL)
        n++;
    return n;
}

/* ---- the kernel's part ---- */

static int mutex_lock(pthread_mutex_t *m)
{
    (void)m;
    edo__spin_lock(&first_lock);
    return 0;
}

static int mutex_unlock(pthread_mutex_t *m)
{
    (void)m;
    edo__spin_unlock(&first_lock);
    return 0;
}

static int join_thread(pthread_t t)
{
    unsigned i = (unsigned)t - submitters();
    MODEL_CHECK(i < WORKERS && ++notes.joined[i] == 1);
    model_reach(&over[i], 1);
    return 0;
}

static int time_passes(struct timespec *ts)
{
    *ts = (struct timespec){ .tv_sec = instant };
    return 0;
}

static void *model_alloc(size_t size)
{
    static void *volatile record; /* of no known size, as from the real one */
    MODEL_CHECK(size == sizeof records[0] && notes.records < WORKERS);
    record = &records[notes.records++];
    return record;
}

static int create_thread(pthread_t *t, const pthread_attr_t *a, void *(*fn)(void *), void *arg)
{
    (void)a;
    (void)fn;
    unsigned i = notes.created;
    if (i == WORKERS || notes.refused + i + 1u == cfg.refuse) {
        notes.refused++;
        return EAGAIN;
    }
    notes.created++;
    args[i] = arg;
    *t = (pthread_t)(submitters() + i);
    edo__astore(&started[i], 1u, EDO__SC);
    model_point(); /* it may run before the call returns */
    return 0;
}

/* Either it is called, or its time is over, which may be at any moment. */
void edo__futex_wait(uint32_t *word, uint32_t expected, int64_t timeout)
{
    bool must_stay =
        pool.threads <= 1 && pool.starting != 0; /* and so would look again and again */
    model_learn(must_stay);
    if (timeout == INT64_MAX || must_stay) {
        model_reach(word, expected + 1);
        return;
    }
    instant += timeout;
    model_relax();
    model_point();
}

void edo__futex_wake(uint32_t *word, int n)
{
    (void)word;
    (void)n;
}

/* ---- jobs and threads ---- */

static void run_job(edo__job *job)
{
    unsigned i = (unsigned)(job - jobs);
    MODEL_CHECK(++notes.runs[i] == 1);
    if (notes.lasts[i] != 0)
        model_reach(&ran, notes.lasts[i]);
    edo__aadd(&ran, 1u, EDO__SC);
}

static unsigned jobs_in_all(void)
{
    unsigned n = 0;
    for (unsigned i = 0; i < submitters(); i++)
        for (const char *p = cfg.programs[i]; *p != '\0'; p++)
            n += *p != 'd';
    return n;
}

static void submit(bool lasts)
{
    unsigned i = notes.submitted++;
    notes.lasts[i] = lasts ? (uint8_t)(jobs_in_all() - 1) : 0;
    jobs[i] = (edo__job){ .run = run_job, .cls = EDO__JOB_USER };
    int rc = edo__pool_submit(&pool, &jobs[i]);
    MODEL_CHECK(rc == 0 || (rc == -EAGAIN && cfg.refuse != 0));
    notes.accepted = (uint8_t)(notes.accepted + (rc == 0));
    model_learn((uint64_t)rc);
}

static void thread(unsigned index)
{
    if (index >= submitters()) {
        unsigned i = index - submitters();
        model_reach(&started[i], 1);
        (void)thread_main(args[i]);
        edo__astore(&over[i], 1u, EDO__SC);
        return;
    }
    for (const char *p = cfg.programs[index]; *p != '\0'; p++) {
        if (*p != 'd') {
            submit(*p == 'b');
            continue;
        }
        model_reach(&through, submitters() - 1);
        edo__pool_threads_fini(&pool);
    }
    edo__aadd(&through, 1u, EDO__SC);
}

/* ---- the state ---- */

static void start(void)
{
    memset(records, 0, sizeof records);
    memset(jobs, 0, sizeof jobs);
    memset(&notes, 0, sizeof notes);
    memset(started, 0, sizeof started);
    memset(over, 0, sizeof over);
    memset(&pool, 0, sizeof pool);
    first_lock = ran = through = 0;
    instant = 0;
    pool.max = cfg.max;
    pool.keepalive = cfg.ages ? EDO_SEC(1) : INT64_MAX;
    for (unsigned i = 0; i < EDO__JOB_CLASSES; i++)
        pool.limit[i] = cfg.max;
    edo__pool_pthread_create = create_thread;
    model_shared(&pool.lock, sizeof pool.lock, true, "pool's lock");
    model_shared(&pool.threads, offsetof(edo__pool, max) - offsetof(edo__pool, threads), false,
                 "pool");
    model_shared(&pool.depth, sizeof pool.depth, false, "depth"); /* looked at under the lock */
    model_shared(&pool.gone, sizeof pool.gone, true, "gone");
    model_shared(&first_lock, sizeof first_lock, true, "first");
    for (unsigned i = 0; i < WORKERS; i++) {
        model_shared(&records[i].word, sizeof records[i].word, true, "bed");
        model_shared(&records[i].is_idle, sizeof records[i] - 4, false, "record");
    }
    model_shared(jobs, sizeof jobs, false, "jobs");
    model_shared(started, sizeof started, true, "started");
    model_shared(over, sizeof over, true, "over");
    model_shared(args, sizeof args, false, "args");
    model_shared(&ran, sizeof ran, true, "ran");
    model_shared(&through, sizeof through, true, "through");
    model_note(&notes, sizeof notes);
}

static void end(void)
{
    bool down = false;
    MODEL_CHECK(through == submitters());
    for (unsigned i = 0; i < submitters(); i++)
        down |= strchr(cfg.programs[i], 'd') != NULL;
    MODEL_CHECK(ran == notes.accepted && pool.depth == 0);
    MODEL_CHECK(pool.lock == 0 && pool.searching == 0 && pool.starting == 0);
    MODEL_CHECK(pool.n_idle == pool.threads);
    for (unsigned i = 0; down && i < notes.created; i++)
        MODEL_CHECK(over[i] == 1 && notes.joined[i] == 1);
}

static model_config config_of(setup s, model_memory memory, unsigned preemptions)
{
    static const char *names[SUBMITTERS + WORKERS];
    static const char *const all[] = { "submitter", "submitter", "submitter",
                                       "thread 1",  "thread 2",  "thread 3" };
    unsigned n = 0;
    cfg = s;
    for (unsigned i = 0; i < submitters(); i++)
        names[n++] = all[i];
    for (unsigned i = 0; i < WORKERS; i++)
        names[n++] = all[SUBMITTERS + i];
    return (model_config){ .threads = n,
                           .names = names,
                           .start = start,
                           .thread = thread,
                           .end = end,
                           .memory = memory,
                           .preemptions = preemptions };
}

static const char *title(void)
{
    static char text[128];
    size_t n = 0;
    for (unsigned i = 0; i < submitters(); i++)
        n +=
            (size_t)snprintf(text + n, sizeof text - n, "%s%s", i > 0 ? ", " : "", cfg.programs[i]);
    n += (size_t)snprintf(text + n, sizeof text - n, "; %u threads", cfg.max);
    if (cfg.refuse != 0)
        n += (size_t)snprintf(text + n, sizeof text - n, ", number %u refused", cfg.refuse);
    snprintf(text + n, sizeof text - n, "%s", cfg.ages ? ", grow old" : "");
    return text;
}

static void sound(setup s, model_memory memory, unsigned preemptions)
{
    model_config config = config_of(s, memory, preemptions);
    holds(title(), &config);
}

static void broken(setup s, model_memory memory, model_mutant mutant)
{
    model_config config = config_of(s, memory, 0);
    config.mutant = mutant;
    breaks(title(), &config);
}

TEST_TIMEOUT(submitting, 100)
{
    must_run_here();
    sound((setup){ .max = 2, .programs = { "j", "j" } }, MODEL_SC, test_scale(3));
    sound((setup){ .max = 2, .programs = { "bj" } }, MODEL_SC, MODEL_UNBOUNDED);
    sound((setup){ .max = 2, .programs = { "b", "j" } }, MODEL_SC, test_scale(3));
    sound((setup){ .max = 3, .programs = { "bj", "j" } }, MODEL_SC, test_scale(2));
    sound((setup){ .max = 1, .programs = { "jj", "j" } }, MODEL_WEAK, 1);
}

TEST_TIMEOUT(growing_old, 100)
{
    must_run_here();
    sound((setup){ .max = 2, .programs = { "j", "j" }, .ages = true }, MODEL_SC, test_scale(2));
    sound((setup){ .max = 2, .programs = { "jj" }, .ages = true }, MODEL_SC, test_scale(3));
    sound((setup){ .max = 2, .programs = { "j", "jd" }, .ages = true }, MODEL_SC, test_scale(2));
    sound((setup){ .max = 2, .programs = { "bj", "d" } }, MODEL_SC, test_scale(2));
}

TEST_TIMEOUT(no_thread, 100)
{
    must_run_here();
    sound((setup){ .max = 2, .programs = { "j", "j" }, .refuse = 1 }, MODEL_SC, test_scale(3));
    sound((setup){ .max = 2, .programs = { "jj", "j" }, .refuse = 2 }, MODEL_SC, test_scale(2));
    sound((setup){ .max = 2, .programs = { "jj", "j" }, .refuse = 2, .ages = true }, MODEL_SC, 1);
}

#define MUTANT(change_, kind_, where_) ((model_mutant){ MODEL_##change_, MODEL_##kind_, where_ })

TEST_TIMEOUT(finds_what_is_wrong, 100)
{
    must_run_here();
    setup pair = { .max = 2, .programs = { "j", "j" } };
    broken(pair, MODEL_SC, MUTANT(TORN, XCHG, "edo__spin_try"));
    broken((setup){ .max = 1, .programs = { "jj" } }, MODEL_SC,
           MUTANT(LEFT_OUT, STORE, "edo__pool_call_idle"));
    broken((setup){ .max = 2, .programs = { "jd" } }, MODEL_SC, MUTANT(LEFT_OUT, STORE, "leave"));
}

TEST_MAIN()
