/* SPDX-License-Identifier: MIT */
/* A client's sessions, by host and port, so that the next handshake is a short one. The list is short
 * and its newest come first; the least recently used goes when it is full. A ticket of TLS 1.3 is
 * given out once (RFC 8446, C.4), a session of TLS 1.2 as often as it is asked for. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define TICKETS (sizeof((session *)0)->ticket / sizeof(SSL_SESSION *))

static void session_free(session *s)
{
    if (s == NULL)
        return;
    for (unsigned i = 0; i < s->n; i++)
        SSL_SESSION_free(s->ticket[i]);
    free(s);
}

/* Takes the session of that key out of the list; with the lock held. */
static session *unlink_key(sessions *all, const char *key)
{
    for (session **at = &all->first; *at != NULL; at = &(*at)->next) {
        session *s = *at;
        if (strcmp(s->key, key) == 0) {
            *at = s->next;
            all->count--;
            return s;
        }
    }
    return NULL;
}

static void link_first(sessions *all, session *s)
{
    s->next = all->first;
    all->first = s;
    all->count++;
}

static session *unlink_last(sessions *all)
{
    session **at = &all->first;
    while ((*at)->next != NULL)
        at = &(*at)->next;
    session *s = *at;
    *at = NULL;
    all->count--;
    return s;
}

static bool single_use(const SSL_SESSION *ticket)
{
    return SSL_SESSION_get_protocol_version(ticket) >= TLS1_3_VERSION;
}

/* Adds a ticket; returns one that has to be freed, or NULL. */
static SSL_SESSION *add_ticket(session *s, SSL_SESSION *ticket)
{
    SSL_SESSION *old = NULL;
    if (s->n > 0 && (s->n == TICKETS || !single_use(ticket))) {
        old = s->ticket[0];
        s->n--;
        memmove(s->ticket, s->ticket + 1, s->n * sizeof s->ticket[0]);
    }
    s->ticket[s->n++] = ticket;
    return old;
}

/* OpenSSL has got a ticket from the server: 1 keeps it. */
static int new_session(SSL *ssl, SSL_SESSION *ticket)
{
    edo__tls *c = SSL_get_app_data(ssl);
    if (c == NULL || c->session_key == NULL || !SSL_SESSION_is_resumable(ticket))
        return 0;
    sessions *all = &c->config->sessions;
    size_t size = strlen(c->session_key) + 1;
    session *fresh = calloc(1, sizeof *fresh + size), *gone = NULL;
    if (fresh == NULL)
        return 0;
    memcpy(fresh->key, c->session_key, size);
    edo__spin_lock(&all->lock);
    if (all->epoch != c->session_epoch) {
        edo__spin_unlock(&all->lock);
        free(fresh);
        return 0;
    }
    session *s = unlink_key(all, c->session_key);
    if (s == NULL) {
        s = fresh;
        fresh = NULL;
    }
    SSL_SESSION *old = add_ticket(s, ticket);
    link_first(all, s);
    if (all->count > all->max)
        gone = unlink_last(all);
    edo__spin_unlock(&all->lock);
    SSL_SESSION_free(old);
    session_free(gone);
    free(fresh);
    return 1;
}

void edo__tls_session_renew(edo__tls *c)
{
    if (c->server || !SSL_session_reused(c->ssl) || SSL_version(c->ssl) >= TLS1_3_VERSION)
        return;
    SSL_SESSION *ticket = SSL_get1_session(c->ssl);
    if (ticket != NULL && !new_session(c->ssl, ticket))
        SSL_SESSION_free(ticket);
}

static bool expired(const SSL_SESSION *ticket)
{
    return time(NULL) - SSL_SESSION_get_time(ticket) >= SSL_SESSION_get_timeout(ticket);
}

SSL_SESSION *edo__tls_session_take(sessions *all, const char *key)
{
    SSL_SESSION *ticket = NULL;
    session *empty = NULL;
    edo__spin_lock(&all->lock);
    session *s = unlink_key(all, key);
    if (s != NULL) {
        ticket = s->ticket[s->n - 1];
        if (single_use(ticket))
            s->n--;
        else
            SSL_SESSION_up_ref(ticket);
        if (s->n > 0)
            link_first(all, s);
        else
            empty = s;
    }
    edo__spin_unlock(&all->lock);
    free(empty);
    if (ticket != NULL && expired(ticket)) {
        SSL_SESSION_free(ticket);
        return NULL;
    }
    return ticket;
}

void edo__tls_sessions_drop(sessions *all)
{
    edo__spin_lock(&all->lock);
    session *s = all->first;
    all->first = NULL;
    all->count = 0;
    all->epoch++;
    edo__spin_unlock(&all->lock);
    while (s != NULL) {
        session *next = s->next;
        session_free(s);
        s = next;
    }
}

void edo__tls_set_sessions(SSL_CTX *ctx)
{
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, new_session);
}
