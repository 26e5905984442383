/* SPDX-License-Identifier: MIT */
/* The configuration: a handle around the present setup. A reload makes a new setup beside it and
 * puts it in place when all of it is good; connections keep the one they were made with. */
#include "internal.h"

#include <edo/blocking.h>
#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#define SESSIONS_DEFAULT 256

setup *edo__tls_setup_of(edo_tls_config *c)
{
    edo__spin_lock(&c->lock);
    setup *s = c->now;
    edo__aadd(&s->refs, 1u, EDO__RLX); /* the lock keeps the reference of c alive meanwhile */
    edo__spin_unlock(&c->lock);
    return s;
}

typedef struct load_job {
    edo_tls_config *c;
    edo_tls_options *options; /* NULL once the setup has them */
    edo_tls_error *error;
    setup *made;
} load_job;

static int load(void *arg)
{
    load_job *job = arg;
    ERR_clear_error(); /* what somebody else has left on this thread */
    int rc = edo__tls_setup_create(&job->made, job->c, job->options, job->error);
    if (rc == 0)
        job->options = NULL;
    return rc;
}

/* Makes a setup from the options, a copy of which is taken. */
static int load_setup(edo_tls_config *c, const edo_tls_options *options, edo_tls_error *error,
                      setup **out)
{
    load_job job = { .c = c, .options = edo__tls_options_copy(options), .error = error };
    if (job.options == NULL)
        return -ENOMEM;
    int rc = edo_blocking(load, &job);
    free(job.options);
    *out = job.made;
    return rc;
}

static int report(edo_tls_error *error, int rc)
{
    if (error == NULL)
        return rc;
    error->code = rc;
    if (rc < 0 && error->text[0] == '\0')
        snprintf(error->text, sizeof error->text, "%s", edo_strerror(rc));
    return rc;
}

int edo_tls_config_create(edo_tls_config **out, const edo_tls_options *options,
                          edo_tls_error *error)
{
    edo_tls_error unwanted;
    if (error == NULL)
        error = &unwanted;
    *error = (edo_tls_error){ 0 };
    edo_tls_config *c = calloc(1, sizeof *c);
    if (c == NULL)
        return report(error, -ENOMEM);
    c->refs = 1;
    c->sessions.max =
        options != NULL && options->sessions_max > 0 ? options->sessions_max : SESSIONS_DEFAULT;
    int rc = edo__tls_tickets_init(&c->tickets);
    if (rc == 0)
        rc = load_setup(c, options, error, &c->now);
    if (rc < 0)
        free(c);
    else
        *out = c;
    return report(error, rc);
}

int edo_tls_config_reload(edo_tls_config *c, const edo_tls_options *options, edo_tls_error *error)
{
    edo_tls_error unwanted;
    if (error == NULL)
        error = &unwanted;
    *error = (edo_tls_error){ 0 };
    setup *old = edo__tls_setup_of(c), *made;
    int rc = load_setup(c, options != NULL ? options : old->options, error, &made);
    edo__tls_setup_unref(old);
    if (rc < 0)
        return report(error, rc);
    edo__spin_lock(&c->lock);
    old = c->now;
    c->now = made;
    edo__spin_unlock(&c->lock);
    edo__tls_setup_unref(old);
    edo__tls_sessions_drop(&c->sessions);
    return 0;
}

edo_tls_config *edo_tls_config_ref(edo_tls_config *c)
{
    /* relaxed: who calls this has a reference already */
    uint32_t before = edo__aadd(&c->refs, 1u, EDO__RLX);
    edo_assert(before > 0 && before < UINT32_MAX);
    return c;
}

void edo_tls_config_destroy(edo_tls_config *c)
{
    if (c == NULL)
        return;
    /* pairs with itself: the last one sees all that the others did */
    uint32_t before = edo__asub(&c->refs, 1u, EDO__AR);
    edo_assert(before > 0);
    if (before > 1)
        return;
    edo__tls_setup_unref(c->now);
    edo__tls_sessions_drop(&c->sessions);
    OPENSSL_cleanse(&c->tickets, sizeof c->tickets);
    free(c);
}
