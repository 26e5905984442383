/* SPDX-License-Identifier: MIT */
/* HTTP client: the response as its user sees it. */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void edo_http_response_deinit(edo_http_response *r)
{
    free(r->body);
    free(r->edo__headers);
    free((char *)(uintptr_t)r->url);
    free((char *)(uintptr_t)r->error.url);
    memset(r, 0, sizeof *r);
}

const char *edo_http_response_header_next(const edo_http_response *r, const char *at,
                                          const char **value)
{
    const char *end = r->edo__headers + r->edo__headers_len;
    const char *name = r->edo__headers;
    if (at) {
        name = at + strlen(at) + 1;
        name += strlen(name) + 1;
    }
    if (!name || name >= end)
        return NULL;
    *value = name + strlen(name) + 1;
    return name;
}

const char *edo_http_response_header(const edo_http_response *r, const char *name)
{
    const char *value = NULL;
    for (const char *n = NULL; (n = edo_http_response_header_next(r, n, &value)) != NULL;)
        if (strcasecmp(n, name) == 0)
            return value;
    return NULL;
}

/* Puts down a failure. The URL is copied; without memory for it there is none. */
void http__response_fail(edo_http_response *r, const char *url, int code, const char *text)
{
    r->error.code = code;
    r->error.status = r->status;
    free((char *)(uintptr_t)r->error.url);
    r->error.url = url ? strdup(url) : NULL;
    snprintf(r->error.text, sizeof r->error.text, "%s", text);
}

static void describe(char *out, size_t size, const struct transfer *t, const edo_http_request *q)
{
    if (t->code == EDO_EOVERSIZE)
        snprintf(out, size, "the body is larger than %zu bytes",
                 q->max_body ? q->max_body : HTTP_BODY_DEFAULT);
    else if (t->curl_text[0] && t->verdict == 0)
        snprintf(out, size, "%s", t->curl_text);
    else if (t->curl_code != CURLE_OK && t->verdict == 0)
        snprintf(out, size, "%s", curl_easy_strerror(t->curl_code));
    else
        snprintf(out, size, "%s", edo_strerror(t->code));
}

/* Moves what a transfer that is done has into the response, in place of what an earlier try
 * left. */
void http__response_fill(edo_http_response *r, struct transfer *t)
{
    const edo_http_request *q = t->request;
    unsigned attempts = r->attempts;
    int64_t waited = r->timings.waited;
    edo_http_response_deinit(r);
    r->attempts = attempts;
    r->timings = t->timings;
    r->timings.waited = waited;
    r->status = t->status;
    r->version = t->version;
    r->reused = t->reused;
    r->url = t->url;
    t->url = NULL;
    r->edo__headers = t->header_block.data;
    r->edo__headers_len = t->header_block.len;
    t->header_block = (struct buffer){ 0 };
    if (t->code == 0) {
        r->body = t->body.data;
        r->len = t->streaming ? t->received : t->body.len;
        t->body = (struct buffer){ 0 };
        if (q->fail_on_status && r->status >= 400) {
            char text[128];
            snprintf(text, sizeof text, "%d %s", r->status, t->reason);
            http__response_fail(r, r->url, EDO_EHTTPSTATUS, text);
        }
        return;
    }
    char text[sizeof r->error.text];
    describe(text, sizeof text, t, q);
    http__response_fail(r, r->url ? r->url : q->url, t->code, text);
}
