/* SPDX-License-Identifier: MIT */
/* Edo: HTTP client. In libedo-http, not in libedo: link with `pkg-config --libs edo-http`.
 *
 * One client serves all tasks of a runtime and keeps the connections between requests. A request is
 * one call that suspends the task until the answer is complete:
 *
 *     edo_http_client *client;
 *     rc = edo_http_client_create(&client, NULL);
 *     ...
 *     edo_http_response r;
 *     rc = edo_http_get(client, "https://example.org/index.json", &r);
 *     if (rc < 0)
 *         fprintf(stderr, "%s: %s\n", r.error.url, r.error.text);
 *     else
 *         use(r.body, r.len);
 *     edo_http_response_deinit(&r);
 *     ...
 *     edo_http_client_destroy(client);
 *
 * Timeouts come from scopes: open one with a deadline around the call. */
#ifndef EDO_HTTP_H
#define EDO_HTTP_H

#include <edo/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct edo_http_client edo_http_client;

/* Zero means the default everywhere; a NULL pointer means all defaults. Strings are copied. */
typedef struct edo_http_client_options {
    unsigned in_flight_max; /* requests at a time, the others wait in turn; 0: 64 */
    unsigned per_host_max;  /* connections to one host; 0: as many as in_flight_max */
    const char *user_agent; /* NULL: "edo/VERSION"; "": none */
    const char *ca_file;    /* PEM, trusted roots; NULL: $SSL_CERT_FILE, else the system's */
    const char *cert_file;  /* PEM, the client's certificate chain; NULL: none */
    const char *key_file;   /* PEM, its key; NULL: it is in cert_file */
    const char *proxy;      /* URL; NULL: from http_proxy, https_proxy, no_proxy; "": none */
    /* "Name: value", sent with every request unless the request names the same header. */
    const char *const *headers;
    size_t n_headers;
    bool http1_only;    /* do not offer HTTP/2 (it is offered over TLS) */
    bool tls_no_verify; /* accept any certificate of any host */
} edo_http_client_options;

/* A request. Zero means the default everywhere. All it points to stays the caller's and is not
 * changed; it has to stay until the call returns. */
typedef struct edo_http_request {
    const char *method;         /* NULL: "GET", or "POST" with a body */
    const char *url;            /* http:// or https:// */
    const char *const *headers; /* "Name: value"; "Name:" leaves out one of the defaults */
    size_t n_headers;
    const void *body;
    size_t body_len;
    size_t max_body;     /* bytes of the decoded body of the answer; 0: 64 MiB; SIZE_MAX: any */
    int max_redirects;   /* 0: 10; -1: do not follow, a 3xx is the answer */
    int retries;         /* tries after the first; 0: 2; -1: none */
    bool retry_unsafe;   /* also retry methods that are not idempotent (POST, PATCH) */
    bool fail_on_status; /* a status of 400 or more is a failure: EDO_EHTTPSTATUS */

    /* With on_data the body of a 2xx answer is not collected but handed over in pieces, as it
     * comes, on the task that made the request. It may suspend: while it does, the server is held
     * back. A negative result ends the request, and is what edo_http_fetch() returns. The body of
     * any other status is collected in the response, its first 64 KiB. max_body holds for both. */
    int (*on_data)(void *arg, const void *data, size_t len);
    void *on_data_arg;
} edo_http_request;

/* What went wrong, in words. */
typedef struct edo_http_error {
    int code;        /* what the call returned; 0: nothing */
    int status;      /* of the last answer; 0: there was none */
    const char *url; /* the one that failed, after redirects; freed with the response */
    char text[256];  /* libcurl's own words, or the status and its reason phrase */
} edo_http_error;

/* Nanoseconds from the start of the last try to the end of each phase; 0: it did not take place. */
typedef struct edo_http_timings {
    int64_t resolved;
    int64_t connected;
    int64_t tls_done;
    int64_t first_byte;
    int64_t total;
    int64_t waited; /* for a free slot (in_flight_max), all tries; not part of the others */
} edo_http_timings;

/* The answer. After a failure, too, it holds what there is: status, headers, error. */
typedef struct edo_http_response {
    int status;  /* 200; 0: none came */
    int version; /* 10, 11, 20: HTTP/1.0, 1.1, 2; 0: none came */
    /* NUL-terminated behind len; NULL: none. To take it over, set it to NULL; then free() it. */
    char *body;
    size_t len;        /* bytes of body; with on_data: bytes handed over */
    const char *url;   /* the effective one, after redirects; NULL: none */
    unsigned attempts; /* tries made */
    bool reused;       /* came over a connection that was open already */
    edo_http_timings timings;
    edo_http_error error;
    char *edo__headers; /* "name\0value\0" of each, in order */
    size_t edo__headers_len;
} edo_http_response;

/* edo_http_client_create - a client for the tasks of the calling task's runtime.
 *
 * It runs a task of its own ("http") under the runtime's root group until it is destroyed.
 * @out: destroyed with edo_http_client_destroy().
 * @options: or NULL.
 * Returns 0; -EPERM outside of a task; -EINVAL (a header without colon or with a line break);
 * -ENOMEM. Files named in the options are read at the first use of TLS.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  task */
EDO_MUST_CHECK int edo_http_client_create(edo_http_client **out,
                                          const edo_http_client_options *options);

/* edo_http_client_destroy - closes all connections, waits for the client's task, frees it. Requests
 * still under way end with -ECANCELED. NULL is allowed.
 *
 * Suspends: maybe
 * Cancel:   not a checkpoint
 * Threads:  any */
void edo_http_client_destroy(edo_http_client *c);

/* edo_http_fetch - makes a request and waits for the whole answer.
 *
 * Tries again, by default twice and only idempotent methods, after failed connections, 429, 500,
 * 502, 503 and 504: after 100 ms, then twice as long each time up to 10 s, with jitter, or as long
 * as `Retry-After` says if that is 60 s at most (else the answer stands). It does not try again
 * once data went to on_data. Apart from that, a request of any method goes out again, uncounted,
 * when the kept connection that it was sent on turns out to be closed without a byte of an answer.
 * @out: always filled, also on failure; freed with edo_http_response_deinit().
 * Returns 0 when an answer came, whatever its status (but see fail_on_status). Else out->error has
 * the details, and the code is
 *   -ECANCELED       cancelled; the transfer is gone, nothing of it goes on
 *   EDO_EHTTPSTATUS  status 400 or more, with fail_on_status
 *   EDO_EOVERSIZE    the body is larger than max_body
 *   EDO_EEOF         the connection ended in the middle of the answer
 *   EDO_EHOST        the host name could not be resolved
 *   EDO_ETLS         handshake, certificate, or a file of certificates
 *   EDO_EHTTP        anything else the protocol can go wrong with
 *   -EINVAL          bad URL, method or header;  -ELOOP  too many redirects
 *   -ECONNREFUSED, -ECONNRESET, -EHOSTUNREACH, ... of the connection
 *   -ENOMEM;  or what on_data returned.
 * A transfer that is complete when the cancel comes is a success.
 *
 *     edo_http_request q = { .url = url, .max_body = 1 << 20, .fail_on_status = true };
 *     edo_http_response r;
 *     edo_scope s;
 *     edo_scope_open(&s, EDO_SEC(30));
 *     rc = edo_scope_close(&s, edo_http_fetch(client, &q, &r));
 *
 * Suspends: always
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_http_fetch(edo_http_client *c, const edo_http_request *request,
                                  edo_http_response *out);

/* edo_http_get - the plain case: GET with fail_on_status, everything else default.
 *
 * Suspends: always
 * Cancel:   checkpoint
 * Threads:  any */
EDO_MUST_CHECK int edo_http_get(edo_http_client *c, const char *url, edo_http_response *out);

/* edo_http_response_deinit - frees what the response holds. It may then be used again. A response
 * of zeros is allowed.
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
void edo_http_response_deinit(edo_http_response *r);

/* edo_http_response_header - a header of the (last) answer.
 * @name: upper or lower case.
 * Returns its value, the first when there are several, valid as long as the response; NULL: none.
 *
 *     const char *type = edo_http_response_header(&r, "Content-Type");
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
const char *edo_http_response_header(const edo_http_response *r, const char *name);

/* edo_http_response_header_next - goes through all headers in their order.
 * @at: NULL for the first, then what the call before returned.
 * @value: set when there is one.
 * Returns the name, or NULL after the last.
 *
 *     const char *value;
 *     for (const char *n = NULL; (n = edo_http_response_header_next(&r, n, &value)) != NULL;)
 *         printf("%s: %s\n", n, value);
 *
 * Suspends: never
 * Cancel:   not a checkpoint
 * Threads:  any */
const char *edo_http_response_header_next(const edo_http_response *r, const char *at,
                                          const char **value);

#ifdef __cplusplus
}
#endif
#endif
