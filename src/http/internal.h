/* SPDX-License-Identifier: MIT */
/* HTTP client: what its files share.
 *
 * libcurl's multi handle is not thread-safe and its calls are long (parsing, TLS), so exactly one
 * task, the driver, makes them, on a large stack. Requesting tasks never call into curl's engine. A
 * request is a `transfer` on the heap, held by two references: the requester's and the driver's.
 *
 *     requester                        driver
 *     transfer_post(WANT_START)  ----> inbox, curl_multi_add_handle
 *                                      callbacks fill t->body or the ring
 *     waits on t->signal         <---- data in the ring, or t->done
 *     takes from the ring, WANT_RESUME when the driver found it full
 *     cancelled: WANT_ABORT      ----> curl_multi_remove_handle: the connection is closed, t->done
 *
 * After WANT_START the requester waits for t->done in every case: the driver reads the request in
 * the requester's frame until then, and not afterwards. curl's callbacks run inside the driver's
 * curl calls and must never suspend. */
#ifndef EDO_HTTP_INTERNAL_H
#define EDO_HTTP_INTERNAL_H

#include <curl/curl.h>
#include <edo/edo.h>
#include <edo/http.h>
#include <stdatomic.h>

#define HTTP_IN_FLIGHT_DEFAULT 64
#define HTTP_IN_FLIGHT_MAX 4096
#define HTTP_BODY_DEFAULT ((size_t)64 << 20)
#define HTTP_ERROR_BODY_MAX ((size_t)64 << 10) /* of a failure's body, when the rest is streamed */
#define HTTP_HEADERS_MAX ((size_t)256 << 10)   /* of all headers of an answer                    */
#define HTTP_REDIRECTS_DEFAULT 10
#define HTTP_RETRIES_DEFAULT 2
#define HTTP_RETRIES_MAX 20
#define HTTP_RING ((size_t)128 << 10) /* a power of two, a multiple of curl's 16 KiB    */
#define HTTP_DRIVER_STACK ((size_t)1 << 20)

/* What the requester wants done with its transfer; WANT_QUEUED: it is in the inbox. */
enum { WANT_START = 1, WANT_RESUME = 2, WANT_ABORT = 4, WANT_QUEUED = 8 };

struct transfer;
struct watch;

/* A buffer that grows up to a limit. */
struct buffer {
    char *data;
    size_t len;
    size_t cap;
};

/* Hand-over of the body to a streaming requester: one writer (driver), one reader (requester).
 * Counters only grow; the byte of position p is data[p % HTTP_RING]. */
struct ring {
    char *data;
    _Atomic size_t head; /* the driver's; release, pairs with the acquire in http__ring_take() */
    _Atomic size_t tail; /* the requester's; seq_cst, see ring_put() */
    atomic_bool paused;  /* the driver found it full; seq_cst, see ring_put() */
};

struct transfer {
    /* Requester, driver while active, inbox while queued; the last one frees. */
    atomic_uint refs;
    atomic_uint want; /* bits above; fetch_or in http__transfer_post(), exchange in the driver */
    struct transfer *inbox_next;
    edo_http_client *client;
    const edo_http_request *request; /* the requester's: not to be read by the driver once done */

    /* The driver's. */
    struct transfer *next; /* in client->active from start to finish */
    struct transfer *prev;
    CURL *easy; /* not NULL exactly then */
    struct curl_slist *headers;
    bool streaming; /* the status is 2xx and there is an on_data */
    bool body_begun;
    int verdict; /* a callback's own reason to stop; 0: none */
    char curl_text[CURL_ERROR_SIZE];

    /* Written by the driver, read by the requester once done is true. */
    struct buffer body;
    struct buffer header_block; /* "name\0value\0" of each */
    char reason[64];            /* reason phrase of the status line */
    int code;
    CURLcode curl_code;
    int status;
    int version;
    bool reused;
    char *url; /* effective; NULL: none */
    edo_http_timings timings;
    size_t received; /* bytes of the decoded body */

    struct ring ring;
    edo_notify signal; /* to the requester: data in the ring, or done */
    atomic_bool done;  /* release by the driver, pairs with the acquire in fetch.c */
};

struct settings {
    unsigned in_flight_max;
    unsigned per_host_max;
    char *user_agent; /* NULL: none */
    char *ca_file;    /* NULL: libcurl's built-in */
    char *cert_file;
    char *key_file;
    char *proxy; /* NULL: from the environment */
    char **headers;
    size_t n_headers;
    bool http1_only;
    bool tls_no_verify;
};

struct edo_http_client {
    atomic_uint refs;         /* the user's, the keeper's, one per transfer and fetch */
    struct settings settings; /* constant after create */
    edo_sem slots;
    /* Newest first; &http__closed once nobody will look any more. */
    _Atomic(struct transfer *) inbox;
    edo_notify wake;         /* to the driver: inbox or closing */
    atomic_bool closing;     /* release in client_close(), pairs with the acquire in the driver */
    edo_event stopped;       /* the driver has ended */
    edo_event gone;          /* the keeper touches nothing but its reference any more */
    _Atomic uint64_t jitter; /* state of a generator; relaxed: any value will do */

    /* The driver's. */
    CURLM *multi;
    CURLSH *share; /* TLS sessions, so that a second connection resumes the first one's */
    int sockets;   /* see sockets.c */
    struct watch *watches;
    size_t n_watches;
    bool given;    /* some socket has given something that curl may not have passed on, see there */
    bool progress; /* curl has passed something on */
    struct transfer *active;
    int end_code;  /* what later requests end with; written before the inbox is closed */
    bool tls_cold; /* a first TLS handshake is going on: roots are being loaded */
    bool tls_warm; /* one has succeeded */
};

extern struct transfer http__closed;

/* client.c */
void http__client_ref(edo_http_client *c);
void http__client_unref(edo_http_client *c);

/* driver.c */
int http__driver(void *client);
void http__inbox_close(edo_http_client *c);

/* sockets.c */
int http__sockets_open(edo_http_client *c);
void http__sockets_close(edo_http_client *c);
int http__sockets_pump(edo_http_client *c);
bool http__sockets_ask_again(edo_http_client *c);
CURLcode http__sockets_install(edo_http_client *c, CURL *easy);

/* transfer.c */
int http__transfer_create(struct transfer **out, edo_http_client *c, const edo_http_request *q);
void http__transfer_unref(struct transfer *t);
void http__transfer_post(struct transfer *t, unsigned want);
void http__transfer_start(struct transfer *t);
void http__transfer_finish(struct transfer *t, CURLcode cc, int code);

/* easy.c */
int http__easy_setup(struct transfer *t);
bool http__header_valid(const char *line);
bool http__header_same_name(const char *a, const char *b);

/* sink.c */
int http__sink_install(struct transfer *t);
size_t http__ring_take(struct ring *r, const char **data);
bool http__ring_consumed(struct ring *r, size_t n);

/* retry.c */
int64_t http__retry_after(const edo_http_response *r);
bool http__retry_wanted(const edo_http_request *q, const edo_http_response *r, CURLcode cc);
int64_t http__retry_delay(edo_http_client *c, unsigned attempt, const edo_http_response *r);
#define HTTP_RETRY_AFTER_MAX EDO_SEC(60)

/* response.c */
void http__response_fill(edo_http_response *r, struct transfer *t);
void http__response_fail(edo_http_response *r, const char *url, int code, const char *text);

#endif
