/* SPDX-License-Identifier: MIT */
/* A stream that follows a script. Reader and writer look at the same step; the one whose turn it is
 * not waits for a change of it. A wait belongs to whoever gets there first; when that one is
 * cancelled, the next begins where the time is by then. */
#include "core/wait.h"
#include "sync/waiting.h"

#include <edo/mock.h>
#include <edo/stream.h>
#include <edo/time.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef struct mock {
    edo__waitq q; /* those whose turn it is not; its lock is over all of this */
    const edo_mock_step *steps;
    size_t count;
    size_t at;     /* the step */
    size_t done;   /* bytes of it */
    int64_t until; /* WAIT: its end; 0: not begun */
    bool wrong;    /* something else was written than expected */
} mock;

/* Under the lock: to the next step. */
static void next_step(mock *m, edo__wakes *wakes)
{
    m->at++;
    m->done = 0;
    m->until = 0;
    edo__wakes_claim_all(wakes, &m->q, 0);
}

/* Under the lock: so many bytes of the step are done. */
static void advance(mock *m, size_t n, edo__wakes *wakes)
{
    m->done += n;
    if (m->done == m->steps[m->at].n)
        next_step(m, wakes);
}

/* The step is one that waits. The lock is held before and after, except on failure. */
static int sleep_step(mock *m, edo__task *self)
{
    size_t at = m->at;
    if (m->until == 0)
        m->until = edo__now(self) + m->steps[at].wait;
    int64_t until = m->until;
    edo__spin_unlock(&m->q.lock);
    int rc = edo_sleep_until(until);
    if (rc < 0)
        return rc;
    edo__wakes wakes = { 0 };
    edo__spin_lock(&m->q.lock);
    if (m->at == at)
        next_step(m, &wakes);
    edo__spin_unlock(&m->q.lock);
    edo__wakes_run(&wakes);
    edo__spin_lock(&m->q.lock);
    return 0;
}

/* Waits for a step that is for a reader, or a writer. Returns it with the lock held; NULL with the
 * lock held at the end of the script; NULL without it and *code below 0 when cancelled. */
static const edo_mock_step *turn(mock *m, bool reading, edo__why why, int *code)
{
    edo__task *self = edo__self();
    *code = 0;
    edo__spin_lock(&m->q.lock);
    while (*code == 0 && m->at < m->count) {
        const edo_mock_step *step = &m->steps[m->at];
        bool for_reader = step->kind == EDO_MOCK_READ || step->kind == EDO_MOCK_READ_ERROR;
        if (step->kind == EDO_MOCK_WAIT) {
            *code = sleep_step(m, self);
        } else if (for_reader == reading) {
            return step;
        } else {
            edo__waiter w = { .task = self, .code = EDO__WAKE_OK };
            *code = edo__waitq_wait(&m->q, &m->q.lock, &w, why, m);
            if (*code == 0)
                edo__spin_lock(&m->q.lock);
        }
    }
    return NULL;
}

static ssize_t mock_read(void *ctx, void *buf, size_t n)
{
    mock *m = ctx;
    int rc;
    const edo_mock_step *step = turn(m, true, EDO__WHY_READ, &rc);
    if (rc < 0)
        return rc;
    edo__wakes wakes = { 0 };
    ssize_t got = 0;
    if (step != NULL && step->kind == EDO_MOCK_READ_ERROR) {
        got = step->code;
        next_step(m, &wakes);
    } else if (step != NULL) {
        size_t left = step->n - m->done;
        got = (ssize_t)(n < left ? n : left);
        if (got > 0)
            memcpy(buf, (const char *)step->data + m->done, (size_t)got);
        advance(m, (size_t)got, &wakes);
    }
    edo__spin_unlock(&m->q.lock);
    edo__wakes_run(&wakes);
    return got;
}

static ssize_t mock_write(void *ctx, const void *data, size_t n)
{
    mock *m = ctx;
    int rc;
    const edo_mock_step *step = turn(m, false, EDO__WHY_WRITE, &rc);
    if (rc < 0)
        return rc;
    edo__wakes wakes = { 0 };
    ssize_t done = -EPROTO;
    if (step != NULL && step->kind == EDO_MOCK_WRITE_ERROR) {
        done = step->code;
        next_step(m, &wakes);
    } else if (step != NULL) {
        size_t left = step->n - m->done, len = n < left ? n : left;
        if (memcmp(data, (const char *)step->data + m->done, len) == 0) {
            done = (ssize_t)len;
            advance(m, len, &wakes);
        }
    }
    m->wrong |= done == -EPROTO;
    edo__spin_unlock(&m->q.lock);
    edo__wakes_run(&wakes);
    return done;
}

static int mock_close(void *ctx)
{
    mock *m = ctx;
    int rc = m->wrong || m->at < m->count ? -EPROTO : 0;
    free(m);
    return rc;
}

int edo_stream_mock(edo_stream **out, const edo_mock_step *steps, size_t count)
{
    static const edo_stream_ops ops = { .read = mock_read,
                                        .write = mock_write,
                                        .close = mock_close };
    for (size_t i = 0; i < count; i++)
        if (steps[i].kind == EDO_MOCK_WRITE && steps[i].n == 0)
            return -EINVAL; /* no write could do it */
    mock *m = malloc(sizeof *m);
    if (m == NULL)
        return -ENOMEM;
    *m = (mock){ .steps = steps, .count = count };
    int rc = edo_stream_create(out, &ops, m);
    if (rc < 0)
        free(m);
    return rc;
}
