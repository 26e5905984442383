/* SPDX-License-Identifier: MIT */
/* Ciphertext to and from the stream below.
 *
 * What OpenSSL has made cannot be taken back. So a call that is cancelled while it sends leaves the
 * rest where it is, says so (`owed`), and ends a read below that may be waiting already: the reader
 * then sends it, a while at a time, because the peer may be waiting for us to read. */
#include "internal.h"

#include "core/wait.h"

#include <errno.h>
#include <stdlib.h>

#define IN_SMALL 2048
#define IN_LARGE 32768
#define KEEP_MAX 4096             /* of a buffer that is kept when it is empty */
#define TURN EDO_MS(10)           /* of sending and of waiting for input, while something is owed */
#define ALERT_PATIENCE EDO_SEC(1) /* for the last word on a connection that is lost anyway */
#define DEFER_MAX 16384           /* of answers that may wait for the next write */

static void trim(buffer *b)
{
    b->start = b->end = 0;
    if (b->cap > KEEP_MAX)
        edo__tls_buffer_free(b);
}

void edo__tls_take(edo__tls *c)
{
    if (c->sending.start < c->sending.end || c->pending.end == 0)
        return;
    buffer empty = c->sending;
    c->sending = c->pending;
    c->pending = empty;
    c->pending.start = c->pending.end = 0;
    /* under lock, as all that set it: pairs with the load in edo__tls_flush() */
    edo__astore(&c->has_pending, false, EDO__SC);
}

static int send_all(edo__tls *c)
{
    buffer *b = &c->sending;
    while (b->start < b->end) {
        ssize_t n = edo_write_some(c->below, b->data + b->start, b->end - b->start);
        if (n < 0)
            return (int)n;
        b->start += (size_t)n;
    }
    trim(b);
    return 0;
}

/* Something was left behind: whoever waits for input shall know. */
static void owe(edo__tls *c)
{
    edo__astore(&c->owed, true, EDO__SC); /* before pump is looked at; see wait_for_input() */
    edo__spin_lock(&c->pump_lock);
    if (c->pump != NULL)
        edo_scope_cancel(c->pump);
    edo__spin_unlock(&c->pump_lock);
}

/* Sending has failed for good: nothing is owed to anybody any more. */
static int write_failed(edo__tls *c, int rc)
{
    c->write_rc = rc;
    edo__astore(&c->owed, false, EDO__RLX); /* by who has out_lock, as it was set */
    return rc;
}

int edo__tls_flush(edo__tls *c)
{
    if (c->write_rc < 0)
        return write_failed(c, c->write_rc);
    for (;;) {
        int rc = send_all(c);
        /* pairs with the store in the BIO: what is not seen here is made later than this flush */
        bool more = rc == 0 && edo__aload(&c->has_pending, EDO__SC);
        if (more)
            rc = edo_mutex_lock(&c->lock);
        if (rc == -ECANCELED) {
            owe(c);
            return rc;
        }
        if (rc < 0)
            return write_failed(c, rc);
        if (!more) {
            edo__astore(&c->owed, false, EDO__RLX); /* by who has out_lock, as it was set */
            return 0;
        }
        edo__tls_take(c);
        edo_mutex_unlock(&c->lock);
    }
}

/* Sends for a while at most. 0, or -ECANCELED when the caller is cancelled. */
static int flush_for(edo__tls *c, int64_t patience)
{
    if (edo_mutex_lock_nowait(&c->out_lock) < 0)
        return 0; /* its holder is at it */
    edo_scope s;
    edo_scope_open(&s, patience);
    int rc = edo_scope_close(&s, edo__tls_flush(c));
    edo_mutex_unlock(&c->out_lock);
    return rc == -ECANCELED ? rc : 0; /* of other failures the next write will tell */
}

void edo__tls_send_alert(edo__tls *c)
{
    if (edo__aload(&c->has_pending, EDO__RLX)) /* the caller's own doing */
        (void)flush_for(c, ALERT_PATIENCE);
}

/* In a handshake the peer waits for what we have to say, and there is nothing else to do. After it an
 * answer (to an update of keys) may go with the next write: a reader is not held up by a peer that
 * does not read. */
int edo__tls_send_rest(edo__tls *c)
{
    if (!edo__aload(&c->has_pending, EDO__SC))
        return 0;
    int rc = edo_mutex_lock(&c->lock);
    if (rc < 0)
        return rc;
    bool must = SSL_in_init(c->ssl) || c->pending.end > DEFER_MAX;
    edo_mutex_unlock(&c->lock);
    if (!must)
        return 0;
    rc = edo_mutex_lock(&c->out_lock);
    if (rc < 0)
        return rc;
    rc = edo__tls_flush(c);
    edo_mutex_unlock(&c->out_lock);
    return rc;
}

/* One read below, that owe() can end. */
static ssize_t wait_for_input(edo__tls *c, int64_t patience)
{
    edo_scope s;
    edo_scope_open(&s, patience);
    edo__spin_lock(&c->pump_lock);
    c->pump = &s;
    edo__spin_unlock(&c->pump_lock);
    ssize_t got = -ECANCELED;
    if (patience != EDO_FOREVER ||
        !edo__aload(&c->owed, EDO__SC)) /* after pump is set: see owe() */
        got = edo_read(c->below, c->in.data, c->in.cap);
    edo__spin_lock(&c->pump_lock);
    c->pump = NULL;
    edo__spin_unlock(&c->pump_lock);
    (void)edo_scope_close(&s, 0);
    return got;
}

bool edo__tls_has_input(const edo__tls *c)
{
    /* pairs with the release in edo__tls_input() */
    return edo__aload(&c->in.end, EDO__ACQ) > c->in.start;
}

/* The buffer is empty: makes it as large as the last read says it should be. */
static bool size_input(edo__tls *c)
{
    buffer *b = &c->in;
    size_t wanted = c->in_large ? IN_LARGE : IN_SMALL;
    b->start = 0;
    edo__astore(&b->end, 0, EDO__RLX); /* under lock */
    if (b->cap == wanted)
        return true;
    char *data = malloc(wanted);
    if (data == NULL)
        return b->cap > 0; /* the old one will do */
    free(b->data);
    b->data = data;
    b->cap = wanted;
    return true;
}

static ssize_t fill_input(edo__tls *c)
{
    for (;;) {
        if (edo__aload(&c->owed, EDO__SC)) {
            int rc = flush_for(c, TURN);
            if (rc < 0)
                return rc;
        }
        bool owed = edo__aload(&c->owed, EDO__SC);
        ssize_t got = wait_for_input(c, owed ? TURN : EDO_FOREVER);
        if (got != -ECANCELED)
            return got;
        int rc = edo_checkpoint();
        if (rc < 0)
            return rc;
    }
}

int edo__tls_input(edo__tls *c)
{
    if (edo_mutex_lock_nowait(&c->in_lock) < 0) { /* someone reads for both of us */
        edo_mutex_unlock(&c->lock);
        int rc = edo_mutex_lock(&c->in_lock);
        if (rc == 0)
            edo_mutex_unlock(&c->in_lock);
        return rc;
    }
    if (edo__tls_has_input(c) || edo__aload(&c->in_ended, EDO__ACQ)) { /* came just now */
        edo_mutex_unlock(&c->in_lock);
        edo_mutex_unlock(&c->lock);
        return 0;
    }
    bool room = size_input(c);
    edo_mutex_unlock(&c->lock);
    int rc = room ? edo__tls_send_rest(c) : -ENOMEM;
    ssize_t got = rc < 0 ? rc : fill_input(c);
    if (got > 0) {
        c->in_large = (size_t)got == c->in.cap || (c->in_large && (size_t)got > IN_SMALL);
        /* pairs with the load in bio_read(): the bytes are there before their number */
        edo__astore(&c->in.end, (size_t)got, EDO__REL);
    } else if (got == 0) {
        edo__astore(&c->in_ended, true, EDO__REL);
    }
    edo_mutex_unlock(&c->in_lock);
    return got < 0 ? (int)got : 0;
}
