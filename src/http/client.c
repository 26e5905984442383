/* SPDX-License-Identifier: MIT */
/* HTTP client: creating and destroying one, and the task that looks after the driver.
 *
 * The keeper is a detached task, so it is cancelled when the runtime shuts down; the driver is its
 * child and shielded. The keeper's only work is to tell the driver to stop, on a cancel from
 * outside or on destroy, and to outlive it. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

static void settings_free(struct settings *s)
{
    for (size_t i = 0; i < s->n_headers; i++)
        free(s->headers[i]);
    free(s->headers);
    free(s->user_agent);
    free(s->ca_file);
    free(s->cert_file);
    free(s->key_file);
    free(s->proxy);
}

static int copy_string(char **out, const char *s)
{
    if (!s)
        return 0;
    *out = strdup(s);
    return *out ? 0 : -ENOMEM;
}

static int copy_headers(struct settings *s, const edo_http_client_options *o)
{
    if (o->n_headers == 0)
        return 0;
    s->headers = calloc(o->n_headers, sizeof *s->headers);
    if (!s->headers)
        return -ENOMEM;
    for (size_t i = 0; i < o->n_headers; i++) {
        if (!http__header_valid(o->headers[i]))
            return -EINVAL;
        int rc = copy_string(&s->headers[i], o->headers[i]);
        if (rc < 0)
            return rc;
        s->n_headers++;
    }
    return 0;
}

/* On failure the caller frees what was copied. */
static int settings_copy(struct settings *s, const edo_http_client_options *o)
{
    const char *agent = o->user_agent ? o->user_agent
                                      : "edo/" EDO__STR(EDO_VERSION_MAJOR) "." EDO__STR(
                                            EDO_VERSION_MINOR) "." EDO__STR(EDO_VERSION_PATCH);
    const char *ca = o->ca_file ? o->ca_file : getenv("SSL_CERT_FILE");
    s->in_flight_max = o->in_flight_max ? o->in_flight_max : HTTP_IN_FLIGHT_DEFAULT;
    if (s->in_flight_max > HTTP_IN_FLIGHT_MAX)
        return -EINVAL;
    s->per_host_max = o->per_host_max ? o->per_host_max : s->in_flight_max;
    s->http1_only = o->http1_only;
    s->tls_no_verify = o->tls_no_verify;
    int rc = copy_string(&s->user_agent, *agent ? agent : NULL);
    if (rc == 0)
        rc = copy_string(&s->ca_file, ca && *ca ? ca : NULL);
    if (rc == 0)
        rc = copy_string(&s->cert_file, o->cert_file);
    if (rc == 0)
        rc = copy_string(&s->key_file, o->key_file);
    if (rc == 0)
        rc = copy_string(&s->proxy, o->proxy);
    return rc == 0 ? copy_headers(s, o) : rc;
}

void http__client_ref(edo_http_client *c)
{
    atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed); /* the caller holds one already */
}

void http__client_unref(edo_http_client *c)
{
    /* acq_rel: the last one sees all that the others did before they let go */
    if (atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
        return;
    settings_free(&c->settings);
    free(c);
}

/* Makes the driver end. Requests that wait for a slot are sent away. */
static void client_close(edo_http_client *c)
{
    /* release: pairs with the acquire in the driver's loop */
    atomic_store_explicit(&c->closing, true, memory_order_release);
    edo_sem_close(&c->slots);
    edo_notify_one(&c->wake);
}

static int keeper(void *client)
{
    edo_http_client *c = client;
    edo_group g;
    edo_group_open(&g, &(edo_group_options){ .name = "http" });
    int rc =
        edo_spawn_with(&g, &(edo_task_options){ .name = "http", .stack_size = HTTP_DRIVER_STACK },
                       NULL, http__driver, c);
    if (rc < 0) { /* the runtime is shutting down, or there is no memory: there will be no driver */
        client_close(c);
        c->end_code = rc;
        http__inbox_close(c);
    } else if (edo_event_wait(&c->stopped) < 0) {
        client_close(c);
    }
    edo_group_close(&g);
    edo_event_set(&c->gone);
    http__client_unref(c);
    return 0;
}

int edo_http_client_create(edo_http_client **out, const edo_http_client_options *options)
{
    static const edo_http_client_options defaults;
    edo_http_client *c = calloc(1, sizeof *c);
    if (!c)
        return -ENOMEM;
    int rc = settings_copy(&c->settings, options ? options : &defaults);
    if (rc < 0)
        goto failed;
    atomic_init(&c->refs, 2); /* the user's and the keeper's */
    atomic_init(&c->jitter, (uint64_t)edo_now() ^ (uint64_t)(uintptr_t)c);
    edo_sem_init(&c->slots, c->settings.in_flight_max);
    edo_notify_init(&c->wake);
    edo_event_init(&c->stopped, EDO_EVENT_MANUAL);
    edo_event_init(&c->gone, EDO_EVENT_MANUAL);
    c->sockets = -1;
    c->end_code = -ECANCELED;
    rc = edo_spawn_detached(keeper, c);
    if (rc < 0)
        goto failed;
    *out = c;
    return 0;
failed:
    settings_free(&c->settings);
    free(c);
    return rc;
}

void edo_http_client_destroy(edo_http_client *c)
{
    if (!c)
        return;
    edo_scope shield;
    client_close(c);
    edo_shield_open(&shield, EDO_FOREVER);
    int rc = edo_event_wait(&c->gone); /* shielded: only a success is possible */
    (void)edo_scope_close(&shield, rc);
    http__client_unref(c);
}
