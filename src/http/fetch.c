/* SPDX-License-Identifier: MIT */
/* HTTP client: a request from its requester's side. Waits for a slot, for the driver, for the next
 * try; runs on_data. Once a transfer was posted this never leaves before the driver is done with
 * it. */
#include "internal.h"

#include <stdio.h>

static bool is_done(struct transfer *t)
{
    /* acquire: pairs with the release in http__transfer_finish() */
    return atomic_load_explicit(&t->done, memory_order_acquire);
}

/* Has the driver let go of the transfer and waits until it did. */
static void abort_and_wait(struct transfer *t)
{
    edo_scope shield;
    http__transfer_post(t, WANT_ABORT);
    edo_shield_open(&shield, EDO_FOREVER);
    int rc = 0;
    while (!is_done(t) && rc == 0)
        rc = edo_notify_wait(&t->signal);
    (void)edo_scope_close(&shield, rc);
}

/* Hands over what is in the ring. Returns 0 or what on_data said. */
static int deliver(struct transfer *t)
{
    const edo_http_request *q = t->request;
    const char *data;
    size_t n;
    if (!t->ring.data)
        return 0;
    while ((n = http__ring_take(&t->ring, &data)) > 0) {
        int rc = q->on_data(q->on_data_arg, data, n);
        if (rc < 0)
            return rc;
        if (http__ring_consumed(&t->ring, n))
            http__transfer_post(t, WANT_RESUME);
    }
    return 0;
}

/* Waits for the transfer's end. Returns 0 or what on_data said; t->code has the result. */
static int await(struct transfer *t)
{
    for (;;) {
        bool done = is_done(t); /* before the ring is looked at: nothing comes after it */
        int rc = deliver(t);
        if (rc < 0) {
            abort_and_wait(t);
            return rc;
        }
        if (done)
            return 0;
        if (edo_notify_wait(&t->signal) < 0) {
            abort_and_wait(t);
            return t->code == 0 ? deliver(t) : 0; /* it was complete all the same */
        }
    }
}

static void account(edo_http_response *out, struct transfer *t, int from_on_data)
{
    http__response_fill(out, t);
    if (from_on_data < 0)
        http__response_fail(out, out->url ? out->url : t->request->url, from_on_data,
                            "stopped by on_data");
}

/* One try, in a slot. @again: whether another one is worth it. */
static int attempt_in_slot(edo_http_client *c, const edo_http_request *q, edo_http_response *out,
                           bool *again)
{
    struct transfer *t;
    int rc = http__transfer_create(&t, c, q);
    if (rc < 0)
        return rc;
    out->attempts++;
    http__transfer_post(t, WANT_START);
    rc = await(t);
    account(out, t, rc);
    bool delivered = t->streaming && t->received > 0;
    if (rc == 0 && !delivered && t->code != -ECANCELED && t->verdict == 0)
        *again = http__retry_wanted(q, out, t->curl_code);
    http__transfer_unref(t);
    return out->error.code;
}

static int attempt(edo_http_client *c, const edo_http_request *q, edo_http_response *out,
                   bool *again)
{
    *again = false;
    int64_t asked = edo_now();
    int rc = edo_sem_acquire(&c->slots, 1);
    out->timings.waited += edo_now() - asked;
    if (rc < 0)
        return -ECANCELED; /* also for -EPIPE: the client is being destroyed */
    rc = attempt_in_slot(c, q, out, again);
    edo_sem_release(&c->slots, 1);
    return rc;
}

/* A cancel or deadline came while waiting for the next try: the reason for that try is worth
 * knowing. */
static void stopped_between_tries(edo_http_response *out, const edo_http_request *q, int rc)
{
    char text[sizeof out->error.text];
    if (out->error.code < 0)
        snprintf(text, sizeof text, "stopped before another try; the last: %.200s",
                 out->error.text);
    else
        snprintf(text, sizeof text, "stopped before another try; the last: status %d", out->status);
    http__response_fail(out, q->url, rc, text);
}

static int fetch(edo_http_client *c, const edo_http_request *q, edo_http_response *out)
{
    int retries = q->retries ? q->retries : HTTP_RETRIES_DEFAULT;
    if (retries > HTTP_RETRIES_MAX)
        retries = HTTP_RETRIES_MAX;
    for (;;) {
        bool again;
        int rc = attempt(c, q, out, &again);
        if (!again || (int)out->attempts > retries)
            return rc;
        rc = edo_sleep(http__retry_delay(c, out->attempts, out));
        if (rc < 0) {
            stopped_between_tries(out, q, rc);
            return rc;
        }
    }
}

int edo_http_fetch(edo_http_client *c, const edo_http_request *request, edo_http_response *out)
{
    *out = (edo_http_response){ 0 };
    http__client_ref(c);
    int rc = edo_checkpoint();
    if (rc == 0)
        rc = fetch(c, request, out);
    if (rc < 0 && out->error.code != rc)
        http__response_fail(out, request->url, rc, edo_strerror(rc));
    http__client_unref(c);
    return rc;
}

int edo_http_get(edo_http_client *c, const char *url, edo_http_response *out)
{
    edo_http_request q = { .url = url, .fail_on_status = true };
    return edo_http_fetch(c, &q, out);
}
