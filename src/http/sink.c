/* SPDX-License-Identifier: MIT */
/* HTTP client: where the headers and the body of an answer go.
 *
 * The callbacks here run inside curl on the driver. The body is collected in a buffer up to a
 * limit, or, with on_data, goes through a ring to the requester, which calls on_data where it may
 * suspend. A full ring pauses the transfer: curl stops reading the socket (HTTP/2: keeps the window
 * shut) and delivers the same piece again after WANT_RESUME. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

/* Room for `more` bytes and a NUL. */
static int buffer_reserve(struct buffer *b, size_t more, size_t hint)
{
    size_t needed = b->len + more + 1;
    if (needed <= b->cap)
        return 0;
    size_t cap = b->cap + b->cap / 2;
    if (cap < needed)
        cap = needed;
    if (cap < hint)
        cap = hint;
    char *data = realloc(b->data, cap);
    if (!data)
        return -ENOMEM;
    b->data = data;
    b->cap = cap;
    return 0;
}

static void buffer_append(struct buffer *b, const char *data, size_t n)
{
    memcpy(b->data + b->len, data, n);
    b->len += n;
    b->data[b->len] = '\0';
}

/* ---- the ring ---- */

static void ring_copy_in(struct ring *r, size_t at, const char *data, size_t n)
{
    size_t offset = at % HTTP_RING;
    size_t first = n < HTTP_RING - offset ? n : HTTP_RING - offset;
    memcpy(r->data + offset, data, first);
    memcpy(r->data, data + first, n - first);
}

/* All n bytes or none; false: it is full, and the reader will ask for more.
 *
 * Not to lose the wake-up, writer and reader each write their own word first and read the other's
 * after: the writer `paused` then `tail`, the reader `tail` then `paused`, all four sequentially
 * consistent. So either the writer sees the room, or the reader sees that it has to say so. */
static bool ring_put(struct ring *r, const char *data, size_t n)
{
    size_t head = atomic_load_explicit(&r->head, memory_order_relaxed); /* our own */
    if (HTTP_RING - (head - atomic_load(&r->tail)) < n) {
        atomic_store(&r->paused, true);
        if (HTTP_RING - (head - atomic_load(&r->tail)) < n)
            return false;
        if (!atomic_exchange(&r->paused, false))
            return false; /* the reader saw it: its WANT_RESUME is on the way */
    }
    ring_copy_in(r, head, data, n);
    atomic_store_explicit(&r->head, head + n, memory_order_release);
    return true;
}

/* The bytes that can be read in one piece. */
size_t http__ring_take(struct ring *r, const char **data)
{
    size_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed); /* our own */
    size_t used = atomic_load_explicit(&r->head, memory_order_acquire) - tail;
    size_t offset = tail % HTTP_RING;
    *data = r->data + offset;
    return used < HTTP_RING - offset ? used : HTTP_RING - offset;
}

/* Gives n bytes back. True: the writer waits for room and has to be told. */
bool http__ring_consumed(struct ring *r, size_t n)
{
    size_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed) + n;
    atomic_store(&r->tail, tail);
    size_t used = atomic_load_explicit(&r->head, memory_order_relaxed) - tail;
    return used <= HTTP_RING / 2 && atomic_load(&r->paused) && atomic_exchange(&r->paused, false);
}

/* ---- callbacks of curl ---- */

static size_t body_max(const struct transfer *t)
{
    return t->request->max_body ? t->request->max_body : HTTP_BODY_DEFAULT;
}

/* The first piece of the body: the status is known now. */
static int body_begin(struct transfer *t)
{
    long status = 0;
    curl_off_t length = -1;
    t->body_begun = true;
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    t->streaming = t->request->on_data && status >= 200 && status < 300;
    curl_easy_getinfo(t->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    if (length > 0 && (uintmax_t)length > body_max(t))
        return EDO_EOVERSIZE;
    if (length <= 0 || length > (curl_off_t)HTTP_BODY_DEFAULT || t->request->on_data)
        return 0;
    /* Room for all of it at once. Of a compressed body this is the smaller size, which does no
     * harm. */
    return buffer_reserve(&t->body, 0, (size_t)length + 1);
}

static int body_collect(struct transfer *t, const char *data, size_t n)
{
    if (t->request->on_data) { /* the body of a failure: only its beginning */
        size_t room = HTTP_ERROR_BODY_MAX - t->body.len;
        n = n < room ? n : room;
    }
    int rc = buffer_reserve(&t->body, n, 0);
    if (rc == 0)
        buffer_append(&t->body, data, n);
    return rc;
}

static size_t on_body(char *data, size_t size, size_t n, void *transfer)
{
    struct transfer *t = transfer;
    n *= size;
    t->client->progress = true;
    if (!t->body_begun)
        t->verdict = body_begin(t);
    if (t->verdict == 0 && n > body_max(t) - t->received)
        t->verdict = EDO_EOVERSIZE;
    if (t->verdict == 0 && !t->streaming)
        t->verdict = body_collect(t, data, n);
    if (t->verdict < 0)
        return CURL_WRITEFUNC_ERROR;
    if (t->streaming) {
        if (!ring_put(&t->ring, data, n))
            return CURL_WRITEFUNC_PAUSE;
        edo_notify_one(&t->signal);
    }
    t->received += n;
    return n;
}

static void keep_reason(struct transfer *t, const char *line, size_t n)
{
    /* "HTTP/1.1 404 Not Found" */
    const char *end = line + n;
    for (int blanks = 0; line < end && blanks < 2; line++)
        blanks += *line == ' ';
    size_t len = (size_t)(end - line);
    len = len < sizeof t->reason ? len : sizeof t->reason - 1;
    memcpy(t->reason, line, len);
    t->reason[len] = '\0';
}

static int keep_header(struct transfer *t, const char *line, size_t n)
{
    const char *colon = memchr(line, ':', n);
    if (!colon || colon == line)
        return 0;
    const char *value = colon + 1, *end = line + n;
    while (value < end && (*value == ' ' || *value == '\t'))
        value++;
    while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    if (t->header_block.len + n > HTTP_HEADERS_MAX)
        return EDO_EOVERSIZE;
    int rc = buffer_reserve(&t->header_block, n + 2, 0);
    if (rc < 0)
        return rc;
    buffer_append(&t->header_block, line, (size_t)(colon - line));
    buffer_append(&t->header_block, "", 1);
    buffer_append(&t->header_block, value, (size_t)(end - value));
    buffer_append(&t->header_block, "", 1);
    return 0;
}

/* One line of headers, status lines and trailers included. A status line begins a new answer: after
 * a redirect, a 1xx, or a proxy's. */
static size_t on_header(char *line, size_t size, size_t n, void *transfer)
{
    struct transfer *t = transfer;
    size_t all = n * size;
    n = all;
    t->client->progress = true;
    while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
        n--;
    if (n >= 5 && memcmp(line, "HTTP/", 5) == 0) {
        t->header_block.len = 0;
        keep_reason(t, line, n);
    } else if (n > 0) {
        t->verdict = keep_header(t, line, n);
    }
    return t->verdict < 0 ? 0 : all;
}

int http__sink_install(struct transfer *t)
{
    CURLcode cc = curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, on_body);
    cc |= curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
    cc |= curl_easy_setopt(t->easy, CURLOPT_HEADERFUNCTION, on_header);
    cc |= curl_easy_setopt(t->easy, CURLOPT_HEADERDATA, t);
    return cc == CURLE_OK ? 0 : -EINVAL;
}
