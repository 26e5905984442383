/* SPDX-License-Identifier: MIT */
/* HTTP client: the driver, the one task that calls curl's engine.
 *
 * It runs shielded, because requesters rely on it to end: also when the runtime shuts down, every
 * transfer is finished, with -ECANCELED if need be, and every requester told. It never blocks; the
 * one slow step there is, OpenSSL reading the system's roots in the first handshake (tens of
 * milliseconds), is made on the blocking pool. */
#include "internal.h"

struct transfer http__closed;

/* Takes what was posted since the last time, oldest first. */
static struct transfer *inbox_take(edo_http_client *c, struct transfer *leave)
{
    /* acquire: pairs with the release in http__transfer_post() */
    struct transfer *t = atomic_exchange_explicit(&c->inbox, leave, memory_order_acq_rel);
    struct transfer *oldest_first = NULL;
    while (t && t != &http__closed) {
        struct transfer *next = t->inbox_next;
        t->inbox_next = oldest_first;
        oldest_first = t;
        t = next;
    }
    return oldest_first;
}

/* Nobody looks into the inbox any more: what is there and what comes later ends with end_code. */
void http__inbox_close(edo_http_client *c)
{
    struct transfer *t = inbox_take(c, &http__closed);
    while (t) {
        struct transfer *next = t->inbox_next;
        if (!atomic_load_explicit(&t->done, memory_order_relaxed))
            http__transfer_finish(t, CURLE_OK, c->end_code);
        http__transfer_unref(t);
        t = next;
    }
}

static void handle_post(struct transfer *t)
{
    /* acq_rel: pairs with the fetch_or in http__transfer_post() */
    unsigned want = atomic_exchange_explicit(&t->want, 0, memory_order_acq_rel);
    if (atomic_load_explicit(&t->done, memory_order_relaxed))
        return; /* it ended before the wish came */
    if (want & WANT_ABORT)
        http__transfer_finish(t, CURLE_OK, -ECANCELED);
    else if (want & WANT_START)
        http__transfer_start(t);
    else if (want & WANT_RESUME)
        curl_easy_pause(t->easy, CURLPAUSE_CONT);
}

static bool handle_posts(edo_http_client *c)
{
    struct transfer *t = inbox_take(c, NULL);
    bool any = t != NULL;
    while (t) {
        struct transfer *next = t->inbox_next;
        handle_post(t);
        http__transfer_unref(t);
        t = next;
    }
    return any;
}

static bool handle_finished(edo_http_client *c)
{
    bool any = false;
    int left;
    CURLMsg *message;
    while ((message = curl_multi_info_read(c->multi, &left)) != NULL) {
        if (message->msg != CURLMSG_DONE)
            continue;
        struct transfer *t = NULL;
        CURLcode cc = message->data.result; /* the message is gone once the handle is removed */
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &t);
        http__transfer_finish(t, cc, 0);
        any = true;
    }
    return any;
}

/* One round of curl's work. Its result is how much there was to do. */
static int pump(void *client)
{
    edo_http_client *c = client;
    int running;
    long due = -1;
    int n = http__sockets_pump(c);
    curl_multi_timeout(c->multi, &due);
    if (due == 0) {
        curl_multi_socket_action(c->multi, CURL_SOCKET_TIMEOUT, 0, &running);
        n++;
    }
    return n;
}

static int pump_where_it_fits(edo_http_client *c)
{
    int n = c->tls_cold ? edo_blocking(pump, c) : pump(c);
    return n < 0 ? pump(c) : n; /* no thread to be had */
}

static void wait_for_work(edo_http_client *c)
{
    long due = -1;
    curl_multi_timeout(c->multi, &due);
    edo_case cases[] = { EDO_NOTIFIED(&c->wake), EDO_READABLE(c->sockets), EDO_AFTER(EDO_MS(due)) };
    if (edo_select(cases, due < 0 ? 2 : 3) < 0)
        edo_sleep(EDO_MS(1)); /* out of memory: look again soon */
}

static void run(edo_http_client *c)
{
    /* acquire: pairs with the release in the client's close */
    while (!atomic_load_explicit(&c->closing, memory_order_acquire)) {
        int n = pump_where_it_fits(c);
        /* Before the posts: what is complete is a success, whatever its requester wants by now. */
        bool finished = handle_finished(c);
        bool posted = handle_posts(c);
        if (n == 0 && !finished && !posted && !http__sockets_ask_again(c))
            wait_for_work(c);
        else
            edo_yield();
    }
    while (c->active)
        http__transfer_finish(c->active, CURLE_OK, -ECANCELED);
}

static int open_engine(edo_http_client *c)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return -ENOMEM;
    c->multi = curl_multi_init();
    c->share = curl_share_init();
    if (!c->multi || !c->share)
        return -ENOMEM;
    curl_share_setopt(c->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
    curl_multi_setopt(c->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
    curl_multi_setopt(c->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)c->settings.per_host_max);
    curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, (long)c->settings.in_flight_max);
    return http__sockets_open(c);
}

static void close_engine(edo_http_client *c)
{
    curl_multi_cleanup(c->multi);
    curl_share_cleanup(c->share);
    c->multi = NULL;
    c->share = NULL;
    http__sockets_close(c);
}

/* The task's body. */
int http__driver(void *client)
{
    edo_http_client *c = client;
    edo_scope shield;
    edo_shield_open(&shield, EDO_FOREVER);
    int rc = open_engine(c);
    if (rc == 0)
        run(c);
    else
        c->end_code = rc;
    http__inbox_close(c);
    close_engine(c);
    rc = edo_scope_close(&shield, rc);
    edo_event_set(&c->stopped);
    return rc;
}
