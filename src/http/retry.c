/* SPDX-License-Identifier: MIT */
/* HTTP client: whether and when to try again. */
#include "internal.h"

#include <string.h>
#include <time.h>

#define DELAY_FIRST EDO_MS(100)
#define DELAY_MAX EDO_SEC(10)

static bool idempotent(const edo_http_request *q)
{
    static const char *const methods[] = { "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE" };
    const char *method = q->method ? q->method : q->body ? "POST" : "GET";
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (strcmp(method, methods[i]) == 0)
            return true;
    return false;
}

static bool transient_failure(CURLcode cc)
{
    switch (cc) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
    case CURLE_PARTIAL_FILE:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
    case CURLE_OPERATION_TIMEDOUT: return true;
    default: return false;
    }
}

/* What `Retry-After` asks for, as seconds or as a date; -1: nothing that can be read. */
int64_t http__retry_after(const edo_http_response *r)
{
    const char *value = edo_http_response_header(r, "Retry-After");
    if (!value || !*value)
        return -1;
    size_t digits = strspn(value, "0123456789");
    if (value[digits] == '\0') {
        int64_t seconds = 0;
        for (size_t i = 0; i < digits && seconds < 100000000; i++)
            seconds = seconds * 10 + (value[i] - '0');
        return EDO_SEC(seconds);
    }
    time_t at = curl_getdate(value, NULL);
    if (at < 0)
        return -1;
    time_t now = time(NULL);
    return at <= now ? 0 : EDO_SEC(at - now);
}

/* Whether what came, or cc when nothing did, may be better next time. */
bool http__retry_wanted(const edo_http_request *q, const edo_http_response *r, CURLcode cc)
{
    if (!idempotent(q) && !q->retry_unsafe)
        return false;
    if (cc != CURLE_OK)
        return transient_failure(cc) && r->error.code != EDO_ETLS;
    switch (r->status) {
    case 429:
    case 500:
    case 502:
    case 503:
    case 504: return http__retry_after(r) <= HTTP_RETRY_AFTER_MAX;
    default: return false;
    }
}

/* A pseudo-random number (splitmix64), so that clients turned away together do not come back
 * together. */
static uint64_t jitter(edo_http_client *c)
{
    /* relaxed: two tasks with one number would do no harm, and there is nothing to order */
    uint64_t z = atomic_fetch_add_explicit(&c->jitter, 0x9e3779b97f4a7c15u, memory_order_relaxed);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* @attempt: the one that failed, from 1. */
int64_t http__retry_delay(edo_http_client *c, unsigned attempt, const edo_http_response *r)
{
    int64_t asked = http__retry_after(r);
    if (asked >= 0)
        return asked;
    int64_t delay = DELAY_FIRST;
    for (unsigned i = 1; i < attempt && delay < DELAY_MAX; i++)
        delay *= 2;
    if (delay > DELAY_MAX)
        delay = DELAY_MAX;
    return delay / 2 + (int64_t)(jitter(c) % (uint64_t)(delay / 2));
}
