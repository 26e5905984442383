/* SPDX-License-Identifier: MIT */
/* The stream: plaintext in and out of OpenSSL, between two waits. */
#include "internal.h"

#include "core/wait.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#define WRITE_MAX (4 * RECORD_MAX) /* plaintext that is taken at once */
#define OVERHEAD 340               /* of a record, with the worst cipher of TLS 1.2 */

/* ---- reading ---- */

static bool at_hand(edo__tls *c)
{
    return SSL_has_pending(c->ssl) || edo__tls_has_input(c);
}

/* OpenSSL wants more than there is: is there any to come? */
static int want_input(edo__tls *c)
{
    if (!edo__aload(&c->in_ended, EDO__ACQ) || edo__tls_has_input(c))
        return WANT_INPUT;
    edo__tls_say(c, EDO_EEOF,
                 "the connection ended without the other side's word that this was all");
    return EDO_EEOF;
}

static int read_stopped(edo__tls *c, int ret)
{
    int rc = edo__tls_failure(c, ret);
    if (rc == WANT_INPUT)
        rc = want_input(c);
    if (rc != WANT_INPUT)
        c->read_rc = rc;
    return rc;
}

/* With the lock held: what there is without waiting, in as many pieces as it fills. */
static ssize_t decrypt(edo__tls *c, const struct iovec *iov, int n)
{
    if (c->read_rc != 1)
        return c->read_rc;
    ERR_clear_error();
    size_t total = 0;
    for (int i = 0; i < n; i++) {
        size_t at = 0, got;
        while (at < iov[i].iov_len) {
            int ret = SSL_read_ex(c->ssl, (char *)iov[i].iov_base + at, iov[i].iov_len - at, &got);
            if (ret != 1) {
                int rc = read_stopped(c, ret);
                return total > 0 ? (ssize_t)total : rc;
            }
            at += got;
            total += got;
            if (!at_hand(c))
                return (ssize_t)total;
        }
    }
    return (ssize_t)total;
}

static ssize_t tls_readv(edo_stream *s, const struct iovec *iov, int n)
{
    edo__tls *c = (edo__tls *)s;
    edo__task *self = edo__self();
    int rc = edo__checkpoint(self);
    if (rc < 0)
        return rc;
    for (;;) {
        rc = edo_mutex_lock(&c->lock);
        if (rc < 0)
            return rc;
        ssize_t got = decrypt(c, iov, n);
        if (got != WANT_INPUT) {
            edo_mutex_unlock(&c->lock);
            if (got == EDO_ETLS)
                edo__tls_send_alert(c);
            edo__coop(self);
            return got;
        }
        rc = edo__tls_input(c); /* gives the lock back */
        if (rc < 0)
            return rc;
    }
}

/* ---- writing ---- */

/* The caller's pieces, record by record. */
typedef struct source {
    const struct iovec *iov;
    int n;
    size_t at;     /* bytes of the first piece that are taken */
    char *scratch; /* where small pieces become one record; NULL: no memory for it, or no need */
} source;

static void skip(source *s, size_t n)
{
    s->at += n;
    while (s->n > 0 && s->at >= s->iov->iov_len) {
        s->at -= s->iov->iov_len;
        s->iov++;
        s->n--;
    }
}

/* The next `want` bytes in one piece, or fewer; does not take them. */
static const char *next_record(const source *s, size_t want, size_t *len)
{
    const char *first = (const char *)s->iov->iov_base + s->at;
    size_t have = s->iov->iov_len - s->at;
    if (have >= want || s->scratch == NULL) {
        *len = have < want ? have : want;
        return first;
    }
    source k = *s;
    size_t filled = 0;
    while (filled < want) {
        size_t part = k.iov->iov_len - k.at;
        if (part > want - filled)
            part = want - filled;
        memcpy(s->scratch + filled, (const char *)k.iov->iov_base + k.at, part);
        filled += part;
        skip(&k, part);
    }
    *len = want;
    return s->scratch;
}

/* With lock and out_lock: makes records of some of it. How many bytes, or a code. */
static ssize_t encrypt_from(edo__tls *c, source *s, size_t total)
{
    size_t done = 0, len, written;
    while (done < total) {
        size_t want = total - done < RECORD_MAX ? total - done : RECORD_MAX;
        const char *data = next_record(s, want, &len);
        int ret = SSL_write_ex(c->ssl, data, len, &written);
        if (ret != 1) {
            int rc = edo__tls_failure(c, ret);
            if (rc == 0)
                rc = -EPIPE;
            if (rc != WANT_INPUT)
                c->write_rc = rc;
            return done > 0 ? (ssize_t)done : rc;
        }
        done += written;
        skip(s, written);
    }
    return (ssize_t)done;
}

static ssize_t encrypt(edo__tls *c, const struct iovec *iov, int n)
{
    size_t total = 0;
    for (int i = 0; i < n && total < WRITE_MAX; i++)
        total += iov[i].iov_len;
    if (total > WRITE_MAX)
        total = WRITE_MAX;
    if (!edo__tls_reserve(&c->pending, total + (total / RECORD_MAX + 1) * OVERHEAD))
        return -ENOMEM;
    ERR_clear_error();
    source s = { .iov = iov, .n = n };
    skip(&s, 0);
    if (s.n > 1 && s.iov->iov_len < total)
        s.scratch = malloc(total < RECORD_MAX ? total : RECORD_MAX);
    ssize_t done = encrypt_from(c, &s, total);
    free(s.scratch);
    return done;
}

/* With out_lock: 0, or why nothing can be written. */
static int may_write(edo__tls *c)
{
    int rc = edo__tls_flush(c);
    return rc == 0 && c->notified ? -EPIPE : rc;
}

/* With out_lock: encrypts some and sends it. */
static ssize_t write_some(edo__tls *c, const struct iovec *iov, int n)
{
    int rc = may_write(c);
    if (rc == 0)
        rc = edo_mutex_lock(&c->lock);
    if (rc < 0)
        return rc;
    ssize_t done = encrypt(c, iov, n);
    edo__tls_take(c);
    edo_mutex_unlock(&c->lock);
    if (done > 0) { /* taken, even if a cancel keeps some of it from being sent right now */
        rc = edo__tls_flush(c);
        if (rc < 0 && rc != -ECANCELED)
            return rc;
    }
    return done;
}

static ssize_t tls_writev(edo_stream *s, const struct iovec *iov, int n)
{
    edo__tls *c = (edo__tls *)s;
    edo__task *self = edo__self();
    int rc = edo__checkpoint(self);
    if (rc < 0)
        return rc;
    for (;;) {
        rc = edo_mutex_lock(&c->out_lock);
        if (rc < 0)
            return rc;
        ssize_t done = write_some(c, iov, n);
        edo_mutex_unlock(&c->out_lock);
        if (done != WANT_INPUT) {
            edo__coop(self);
            return done;
        }
        rc = edo_mutex_lock(&c->lock); /* a renegotiation: nothing is written before it is done */
        if (rc == 0)
            rc = edo__tls_input(c);
        if (rc < 0)
            return rc;
        if (edo__aload(&c->in_ended, EDO__ACQ))
            return -EPIPE;
    }
}

/* ---- the end ---- */

/* With out_lock. */
static int say_goodbye(edo__tls *c)
{
    int rc = edo__tls_flush(c);
    if (rc < 0)
        return rc;
    if (!c->notified) {
        rc = edo_mutex_lock(&c->lock);
        if (rc < 0)
            return rc;
        ERR_clear_error();
        (void)SSL_shutdown(c->ssl);
        ERR_clear_error();
        c->notified = true;
        edo__tls_take(c);
        edo_mutex_unlock(&c->lock);
        rc = edo__tls_flush(c);
    }
    if (rc == 0 && !c->shut) {
        rc = edo_shutdown(c->below);
        c->shut = rc == 0;
    }
    return rc;
}

static int tls_shutdown(edo_stream *s)
{
    edo__tls *c = (edo__tls *)s;
    int rc = edo_mutex_lock(&c->out_lock);
    if (rc < 0)
        return rc;
    rc = say_goodbye(c);
    edo_mutex_unlock(&c->out_lock);
    return rc;
}

void edo__tls_free(edo__tls *c)
{
    ERR_clear_error();
    if (c->ssl != NULL &&
        c->error.code != EDO_ETLS) /* else OpenSSL forbids the session's further use */
        SSL_set_shutdown(c->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(c->ssl);
    ERR_clear_error();
    edo__tls_buffer_free(&c->in);
    edo__tls_buffer_free(&c->pending);
    edo__tls_buffer_free(&c->sending);
    edo__tls_setup_unref(c->setup);
    edo_tls_config_destroy(c->config);
    free(c->session_key);
    free(c->info);
    free(c);
}

static int tls_close(edo_stream *s)
{
    edo__tls *c = (edo__tls *)s;
    edo_stream *below = c->below;
    edo__tls_free(c);
    return edo_close(below);
}

const edo__stream_ops edo__tls_ops = { tls_readv, tls_writev, tls_shutdown, tls_close,
                                       edo__stream_no_fd };

edo__tls *edo__tls_of(edo_stream *s)
{
    return s->ops == &edo__tls_ops ? (edo__tls *)s : NULL;
}
