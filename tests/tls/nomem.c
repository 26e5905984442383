/* SPDX-License-Identifier: MIT */
/* Memory runs out once, at every allocation in turn: of this library and of libedo, then of OpenSSL.
 * Whatever call fails says so, leaves nothing behind, and works the next time. */
#include "support.h"

#include <openssl/crypto.h>
#include <stdatomic.h>

static tls_world world;
static atomic_long countdown = -1; /* allocations until the one that fails; negative: none */
static atomic_int failed;

static bool fails(void)
{
    if (atomic_load(&countdown) < 0 || atomic_fetch_sub(&countdown, 1) != 0)
        return false;
    atomic_store(&failed, 1);
    return true;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define INTERPOSED 0
#elif defined(__has_feature)
#define INTERPOSED (!__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer))
#else
#define INTERPOSED 1
#endif

#if INTERPOSED
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);

extern char __executable_start, etext; /* the program, which the libraries of Edo are part of */

static bool ours(const void *caller)
{
    return (const char *)caller >= &__executable_start && (const char *)caller < &etext;
}

void *malloc(size_t n)
{
    return ours(__builtin_return_address(0)) && fails() ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
    return ours(__builtin_return_address(0)) && fails() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
    return ours(__builtin_return_address(0)) && fails() ? NULL : __libc_realloc(p, n);
}
#endif

/* A whole life: configurations, a handshake, data both ways, keys, a reload, the end. The first code
 * that is none of success. */
typedef struct life {
    edo_tls_config *client, *server;
    edo_stream *below[2], *s[2];
    int rc[2];
} life;

static int make_configs(life *l)
{
    edo_tls_error e;
    edo_tls_options client = { .ca_pem = world.root->cert_pem };
    edo_tls_options server = { .certificates = &world.own, .n_certificates = 1 };
    int rc = edo_tls_config_create(&l->client, &client, &e);
    CHECK_INT(rc, ==, e.code);
    if (rc == 0)
        rc = edo_tls_config_create(&l->server, &server, &e);
    CHECK_INT(rc, ==, e.code);
    if (rc == 0)
        rc = edo_tls_config_reload(l->server, NULL, &e);
    CHECK_INT(rc, ==, e.code);
    return rc;
}

static int side(life *l, int which)
{
    edo_tls_error e;
    char buf[700];
    int rc = which == 0 ? edo_tls_client(&l->s[0], l->below[0], "a.example", l->client, &e)
                        : edo_tls_server(&l->s[1], l->below[1], l->server, &e);
    CHECK_INT(rc, ==, e.code);
    if (rc < 0) {
        edo_close(l->below[which]);
        return rc;
    }
    edo_stream *s = l->s[which];
    memset(buf, 'x', sizeof buf);
    ssize_t n = edo_write(s, buf, sizeof buf);
    if (n > 0)
        n = edo_tls_update_keys(s, true);
    if (n >= 0) {
        struct iovec iov[] = { { buf, 300 }, { buf, 400 } };
        n = edo_writev(s, iov, 2);
    }
    if (n >= 0)
        n = edo_shutdown(s);
    while (n >= 0 && (n = edo_read(s, buf, sizeof buf)) > 0)
        for (ssize_t i = 0; i < n; i++)
            CHECK_INT(buf[i], ==, 'x');
    edo_close(s);
    return (int)n;
}

static int client_side(void *arg)
{
    life *l = arg;
    l->rc[0] = side(l, 0);
    return 0;
}

static int server_side(void *arg)
{
    life *l = arg;
    l->rc[1] = side(l, 1);
    return 0;
}

/* Only what goes wrong in TLS: the streams and tasks below are made without failures. */
static int live(void)
{
    life l = { 0 };
    int rc = make_configs(&l);
    if (rc == 0) {
        long left = atomic_exchange(&countdown, -1);
        edo_group g;
        CHECK_OK(edo_duplex(&l.below[0], &l.below[1], 0));
        edo_group_open(&g, NULL);
        CHECK_OK(edo_spawn(&g, client_side, &l));
        CHECK_OK(edo_spawn(&g, server_side, &l));
        atomic_store(&countdown, left);
        CHECK_INT(edo_group_close(&g), ==, 0);
        rc = l.rc[0] < 0 ? l.rc[0] : l.rc[1];
    }
    edo_tls_config_destroy(l.client);
    edo_tls_config_destroy(l.server);
    return rc;
}

/* One allocation after the other fails, until there is none left; about `most` of them. */
static void every_allocation(unsigned most, int at_least)
{
    enum { MANY = 1 << 30 };
    int failures = 0, codes = 0, passes = 0;
    CHECK_INT(live(), ==, 0);
    atomic_store(&countdown, MANY);
    CHECK_INT(live(), ==, 0);
    long step = 1 + 2 * (MANY - atomic_exchange(&countdown, -1)) / most;
    fprintf(stderr, "# one in %ld\n", step / 2 + 1);
    uint64_t seed = test_seed();
    for (long n = 0; passes < 5 && n < 200000; n += 1 + (long)(test_rand(&seed) % (uint64_t)step)) {
        atomic_store(&failed, 0);
        atomic_store(&countdown, n);
        int rc = live();
        atomic_store(&countdown, -1);
        failures += atomic_load(&failed);
        codes += rc < 0;
        passes = atomic_load(&failed) ? 0 : passes + 1;
        if (rc < 0)
            CHECK_INT(atomic_load(&failed), ==, 1);
        if (rc < 0 && codes % 8 == 0)
            CHECK_INT(live(), ==, 0);
    }
    printf("# %d allocations failed, %d lives with them\n", failures, codes);
    CHECK_INT(passes, ==, 5);
    CHECK_INT(failures, >=, at_least);
    CHECK_INT(codes, >=, at_least / 2);
}

static int ours_fail(void *unused)
{
    (void)unused;
    every_allocation(1000, 20);
    return 0;
}

TEST_TIMEOUT(allocations_of_ours, 120)
{
    if (!INTERPOSED)
        SKIP("the sanitizers have an allocator of their own");
    tls_world_make(&world);
    tls_run(2, ours_fail, NULL);
    tls_world_free(&world);
}

/* OpenSSL's own, by the hook that it has for that: also under the sanitizers. */
static void *crypto_malloc(size_t n, const char *file, int line)
{
    (void)file, (void)line;
    return n == 0 || fails() ? NULL : malloc(n);
}

static void *crypto_realloc(void *p, size_t n, const char *file, int line)
{
    (void)file, (void)line;
    if (n == 0) {
        free(p);
        return NULL;
    }
    return fails() ? NULL : realloc(p, n);
}

static void crypto_free(void *p, const char *file, int line)
{
    (void)file, (void)line;
    free(p);
}

static int theirs_fail(void *unused)
{
    (void)unused;
    every_allocation(test_scale(100), 5);
    return 0;
}

TEST_TIMEOUT(allocations_of_openssl, 120)
{
    if (CRYPTO_set_mem_functions(crypto_malloc, crypto_realloc, crypto_free) != 1)
        SKIP("OpenSSL has allocated already");
    tls_world_make(&world);
    tls_run(2, theirs_fail, NULL);
    tls_world_free(&world);
}

TEST_MAIN()
