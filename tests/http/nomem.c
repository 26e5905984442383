/* SPDX-License-Identifier: MIT */
/* Memory runs out once, at every allocation in turn that a request makes: in the client, in the
 * runtime below and the server beside it. Whatever comes of it, it comes: no crash, no hang, no
 * leak of a descriptor, and the next request works.
 *
 * Not inside libcurl: 7.88 divides by zero after a failure in its table of sockets. */
#include "support.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define INTERPOSED 0
#elif defined(__has_feature)
#define INTERPOSED (!__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer))
#else
#define INTERPOSED 1
#endif

static atomic_long countdown = -1; /* allocations until the one that fails; negative: none */
static atomic_int failed;

static int serve_ok(http_test *t, edo_stream *s)
{
    char head[2048];
    (void)t;
    while (http_read_head(s, head, sizeof head) > 0)
        if (http_reply(s, "200 OK", "X-A: b\r\n", "a body of some length") < 0)
            return -1;
    return 0;
}

#if INTERPOSED
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);

extern char __executable_start, etext; /* the program, which the libraries of Edo are part of */

static bool fails(const void *caller)
{
    if ((const char *)caller < &__executable_start || (const char *)caller >= &etext)
        return false;
    if (atomic_load(&countdown) < 0 || atomic_fetch_sub(&countdown, 1) != 0)
        return false;
    atomic_store(&failed, 1);
    errno = ENOMEM;
    return true;
}

void *malloc(size_t n)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_realloc(p, n);
}
#endif

static int take(void *bytes, const void *data, size_t n)
{
    (void)data;
    *(size_t *)bytes += n;
    return 0;
}

/* One request with a client of its own. */
static int once(http_test *t, bool stream)
{
    static const char *const headers[] = { "X-One: 1", "X-Two: 2" };
    edo_http_client *c;
    edo_http_response r;
    size_t bytes = 0;
    int rc = edo_http_client_create(
        &c, &(edo_http_client_options){ .headers = headers, .n_headers = 2, .proxy = "" });
    if (rc < 0)
        return rc;
    edo_http_request q = {
        .url = t->url, .retries = -1, .on_data = stream ? take : NULL, .on_data_arg = &bytes
    };
    rc = edo_http_fetch(c, &q, &r);
    CHECK_INT(r.error.code, ==, rc);
    if (rc == 0 && stream)
        CHECK_UINT(bytes, ==, 21);
    else if (rc == 0)
        CHECK_STR(r.body, "a body of some length");
    edo_http_response_deinit(&r);
    edo_http_client_destroy(c);
    return rc;
}

static int every_allocation(http_test *t)
{
    int failures = 0, codes = 0, passes = 0;
    http_url(t, "/");
    for (long n = 0; passes < 20 && n < 20000; n++) {
        atomic_store(&failed, 0);
        atomic_store(&countdown, n);
        int rc = once(t, n % 2);
        atomic_store(&countdown, -1);
        failures += atomic_load(&failed);
        codes += rc < 0;
        passes = atomic_load(&failed) ? 0 : passes + 1;
        CHECK_INT(once(t, false), ==, 0);
    }
    printf("# %d allocations failed, %d requests with them\n", failures, codes);
    CHECK_INT(passes, ==, 20);
    CHECK_INT(failures, >, 5);
    CHECK_INT(codes, >, 3);
    return 0;
}

TEST_TIMEOUT(every_allocation, 120)
{
    if (!INTERPOSED)
        SKIP("the sanitizers have an allocator of their own");
    http_run(&(http_test){ .serve = serve_ok, .body = every_allocation });
}

TEST_MAIN()
