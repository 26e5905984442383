/* SPDX-License-Identifier: MIT */
/* HTTP client: the life of one transfer, from the requester's post to the driver's result.
 *
 * A post puts the transfer into the client's inbox at most once (WANT_QUEUED), so that the inbox
 * needs no memory of its own. The driver's last act on a transfer is to set `done`; what it does
 * after that touches only the reference count, because the requester may be gone. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

static void ref(struct transfer *t)
{
    atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed); /* the caller holds one already */
}

void http__transfer_unref(struct transfer *t)
{
    /* acq_rel: the last one sees all that the others did before they let go */
    if (atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1)
        return;
    http__client_unref(t->client);
    free(t->body.data);
    free(t->header_block.data);
    free(t->url);
    free(t->ring.data);
    free(t);
}

/* A transfer with one reference, the caller's. */
int http__transfer_create(struct transfer **out, edo_http_client *c, const edo_http_request *q)
{
    struct transfer *t = calloc(1, sizeof *t);
    if (!t)
        return -ENOMEM;
    if (q->on_data && !(t->ring.data = malloc(HTTP_RING))) {
        free(t);
        return -ENOMEM;
    }
    atomic_init(&t->refs, 1);
    t->client = c;
    http__client_ref(c);
    t->request = q;
    edo_notify_init(&t->signal);
    *out = t;
    return 0;
}

/* Tells the driver what the requester wants. Without a driver the transfer is over at once. */
void http__transfer_post(struct transfer *t, unsigned want)
{
    edo_http_client *c = t->client;
    /* acq_rel: pairs with the exchange in handle_post() */
    if (atomic_fetch_or_explicit(&t->want, want | WANT_QUEUED, memory_order_acq_rel) & WANT_QUEUED)
        return;
    ref(t);
    struct transfer *head = atomic_load_explicit(&c->inbox, memory_order_acquire);
    do {
        if (head ==
            &http__closed) { /* the acquire pairs with the closing exchange: end_code is set */
            if (!atomic_load_explicit(&t->done, memory_order_acquire))
                http__transfer_finish(t, CURLE_OK, c->end_code);
            http__transfer_unref(t);
            return;
        }
        t->inbox_next = head;
        /* release: pairs with the exchange in inbox_take() */
    } while (!atomic_compare_exchange_weak_explicit(&c->inbox, &head, t, memory_order_acq_rel,
                                                    memory_order_acquire));
    edo_notify_one(&c->wake);
}

static void activate(struct transfer *t)
{
    edo_http_client *c = t->client;
    ref(t);
    t->prev = NULL;
    t->next = c->active;
    if (c->active)
        c->active->prev = t;
    c->active = t;
}

static void deactivate(struct transfer *t)
{
    edo_http_client *c = t->client;
    if (t->prev)
        t->prev->next = t->next;
    else
        c->active = t->next;
    if (t->next)
        t->next->prev = t->prev;
    if (!c->active)
        c->tls_cold = false;
}

/* Hands it to curl. */
void http__transfer_start(struct transfer *t)
{
    edo_http_client *c = t->client;
    t->easy = curl_easy_init();
    if (!t->easy) {
        http__transfer_finish(t, CURLE_OUT_OF_MEMORY, 0);
        return;
    }
    activate(t);
    int rc = http__easy_setup(t);
    if (rc < 0) {
        http__transfer_finish(t, CURLE_OK, rc);
        return;
    }
    if (!c->tls_warm && curl_strnequal(t->request->url, "https:", 6))
        c->tls_cold = true;
    if (curl_multi_add_handle(c->multi, t->easy) != CURLM_OK)
        http__transfer_finish(t, CURLE_OUT_OF_MEMORY, 0);
}

static int64_t info_ns(CURL *easy, CURLINFO what)
{
    curl_off_t us = 0;
    curl_easy_getinfo(easy, what, &us);
    return EDO_US(us);
}

static void collect_timings(edo_http_timings *out, CURL *easy)
{
    out->resolved = info_ns(easy, CURLINFO_NAMELOOKUP_TIME_T);
    out->connected = info_ns(easy, CURLINFO_CONNECT_TIME_T);
    out->tls_done = info_ns(easy, CURLINFO_APPCONNECT_TIME_T);
    out->first_byte = info_ns(easy, CURLINFO_STARTTRANSFER_TIME_T);
    out->total = info_ns(easy, CURLINFO_TOTAL_TIME_T);
}

static int version_number(long curl_version)
{
    switch (curl_version) {
    case CURL_HTTP_VERSION_1_0: return 10;
    case CURL_HTTP_VERSION_1_1: return 11;
    case CURL_HTTP_VERSION_2_0: return 20;
    default: return 0;
    }
}

/* What curl knows of a transfer, before its handle goes. */
static void collect(struct transfer *t)
{
    long status = 0, version = 0, connects = 0;
    char *url = NULL;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(t->easy, CURLINFO_HTTP_VERSION, &version);
    curl_easy_getinfo(t->easy, CURLINFO_NUM_CONNECTS, &connects);
    curl_easy_getinfo(t->easy, CURLINFO_EFFECTIVE_URL, &url);
    t->status = (int)status;
    t->version = status ? version_number(version) : 0;
    t->reused = status && connects == 0;
    t->url = url ? strdup(url) : NULL;
    collect_timings(&t->timings, t->easy);
    if (t->timings.tls_done > 0) {
        t->client->tls_warm = true;
        t->client->tls_cold = false;
    }
}

/* The code behind a connection that failed: the system's, or TLS's, or `otherwise`. TLS 1.3 tells a
 * client that its certificate will not do only when it reads, which curl reports as any other
 * failed read. */
static int connection_code(struct transfer *t, int otherwise)
{
    long os_errno = 0;
    if (!t->easy)
        return otherwise;
    curl_easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &os_errno);
    if (os_errno > 0 && os_errno < 4096)
        return -(int)os_errno;
    return strstr(t->curl_text, "SSL routines") ? EDO_ETLS : otherwise;
}

static int code_of(struct transfer *t, CURLcode cc)
{
    switch (cc) {
    case CURLE_OK: return 0;
    case CURLE_OUT_OF_MEMORY: return -ENOMEM;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL: /* also an answer that is none, or a redirect to another scheme */
        return t->easy && info_ns(t->easy, CURLINFO_CONNECT_TIME_T) > 0 ? EDO_EHTTP : -EINVAL;
    case CURLE_TOO_MANY_REDIRECTS: return -ELOOP;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY: return EDO_EHOST;
    case CURLE_COULDNT_CONNECT: return connection_code(t, -ECONNREFUSED);
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR: return connection_code(t, -ECONNRESET);
    case CURLE_OPERATION_TIMEDOUT: return -ETIMEDOUT;
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING: return EDO_EEOF;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_ENGINE_INITFAILED: return EDO_ETLS;
    default: return EDO_EHTTP;
    }
}

/* Ends a transfer, started or not: curl lets go of it and the requester is told. Without a driver
 * any task may call this for a transfer of its own that was never started.
 * @cc: curl's result; @code: another reason, 0: none. */
void http__transfer_finish(struct transfer *t, CURLcode cc, int code)
{
    bool active = t->easy != NULL;
    t->curl_code = cc;
    t->code = code ? code : t->verdict ? t->verdict : code_of(t, cc);
    if (active) {
        collect(t);
        curl_multi_remove_handle(t->client->multi, t->easy); /* closes the connection if in use */
        curl_easy_cleanup(t->easy);
        t->easy = NULL;
    }
    curl_slist_free_all(t->headers);
    t->headers = NULL;
    if (active)
        deactivate(t);
    /* release: pairs with the acquire in fetch.c; the request is not touched any more */
    atomic_store_explicit(&t->done, true, memory_order_release);
    edo_notify_one(&t->signal);
    if (active)
        http__transfer_unref(t);
}
