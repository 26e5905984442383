/* SPDX-License-Identifier: MIT */
/* The handshake: steps of OpenSSL's, and between them the other side.
 *
 * A step runs where the task is, on its own stack: it needs 12 KiB of it. Where less than twice that is
 * left, or where a key of RSA is to sign, which keeps a core busy for the better part of a millisecond,
 * it runs as a job of edo_cpu(), of which there is one per core at a time, and the worker goes on with
 * its other tasks. See docs/internals/tls.md. */
#include "internal.h"

#include "core/task.h"

#include <edo/blocking.h>
#include <edo/net.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#define STACK_NEEDED ((size_t)24 << 10)
#define HOST_MAX 255

static int step(void *arg)
{
    edo__tls *c = arg;
    ERR_clear_error();
    int ret = SSL_do_handshake(c->ssl);
    return ret == 1 ? 0 : edo__tls_failure(c, ret);
}

static size_t stack_left(void)
{
    const edo__task *self = edo__self();
    if (edo__is_foreign(self) || self->stack == NULL)
        return SIZE_MAX; /* a thread's */
    char here;
    return (size_t)(&here - self->stack->lo);
}

static bool signs_with_rsa(const edo__tls *c)
{
    for (size_t i = 0; i < c->setup->n; i++) {
        const EVP_PKEY *key = SSL_CTX_get0_privatekey(c->setup->ctx[i]);
        if (key != NULL && EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA)
            return true;
    }
    return false;
}

/* 0: done; WANT_INPUT; or a code. */
static int run_step(edo__tls *c, bool heavy)
{
    if (!heavy && stack_left() >= STACK_NEEDED)
        return step(c);
    int rc = edo_cpu(step, c);
    if (rc != -EAGAIN) /* which no step says: there is no thread */
        return rc;
    return stack_left() >= STACK_NEEDED ? step(c) : EDO_ESTACK;
}

static int send_now(edo__tls *c)
{
    if (!edo__aload(&c->has_pending, EDO__RLX)) /* nobody else has the connection yet */
        return 0;
    int rc = edo_mutex_lock(&c->out_lock);
    if (rc < 0)
        return rc;
    rc = edo__tls_flush(c);
    edo_mutex_unlock(&c->out_lock);
    return rc;
}

static int more_input(edo__tls *c)
{
    int rc = edo_mutex_lock(&c->lock);
    if (rc == 0)
        rc = edo__tls_input(c);
    if (rc == 0 && edo__aload(&c->in_ended, EDO__ACQ) && !edo__tls_has_input(c)) {
        edo__tls_say(c, EDO_EEOF, "the other side has closed the connection in the handshake");
        rc = EDO_EEOF;
    }
    return rc;
}

/* What a server of TLS 1.3 has still to say when it is done: they go with its first write, and do not
 * wait for a client that reads nothing or is gone. */
static bool only_tickets(const edo__tls *c)
{
    return c->server && SSL_version(c->ssl) >= TLS1_3_VERSION;
}

static int handshake(edo__tls *c)
{
    bool heavy = signs_with_rsa(c), begun = false;
    for (;;) {
        int rc = run_step(c, heavy && begun);
        begun = true;
        if (rc == 0 && only_tickets(c))
            return 0;
        int sent = send_now(c);
        if (rc != WANT_INPUT)
            return rc < 0 ? rc : sent;
        if (sent < 0)
            return sent;
        rc = more_input(c);
        if (rc < 0)
            return rc;
    }
}

/* ---- whom a client wants ---- */

/* "host", "host:port", "[::1]:port", "::1": the host alone. */
static int host_of(const char *text, char host[static HOST_MAX + 1])
{
    const char *end = text + strlen(text);
    const char *colon = strchr(text, ':');
    if (text[0] == '[') {
        end = strchr(++text, ']');
        if (end == NULL)
            return -EINVAL;
    } else if (colon != NULL && strchr(colon + 1, ':') == NULL) {
        end = colon;
    }
    if (end > text && end[-1] == '.') /* the root of all names: not in certificates */
        end--;
    size_t n = (size_t)(end - text);
    if (n == 0 || n > HOST_MAX)
        return -EINVAL;
    memcpy(host, text, n);
    host[n] = '\0';
    return 0;
}

/* What is asked for, what the certificate has to be for, and under which name the session is kept. */
static int set_host(edo__tls *c, const char *text)
{
    char host[HOST_MAX + 1];
    int rc = host_of(text, host);
    if (rc < 0)
        return rc;
    size_t n = strlen(text) + 1, host_n = strlen(host) + 1;
    c->session_key = malloc(n + host_n);
    if (c->session_key == NULL)
        return -ENOMEM;
    memcpy(c->session_key, text, n);
    c->host = memcpy(c->session_key + n, host, host_n);
    X509_VERIFY_PARAM *judge = SSL_get0_param(c->ssl);
    X509_VERIFY_PARAM_set_hostflags(judge, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                                               X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    if (X509_VERIFY_PARAM_set1_ip_asc(judge, host) == 1)
        return 0;
    ERR_clear_error();
    if (X509_VERIFY_PARAM_set1_host(judge, host, 0) != 1 ||
        SSL_set_tlsext_host_name(c->ssl, host) != 1)
        return -ENOMEM;
    return 0;
}

static void offer_session(edo__tls *c)
{
    sessions *all = &c->config->sessions;
    edo__spin_lock(&all->lock);
    c->session_epoch = all->epoch;
    edo__spin_unlock(&all->lock);
    if (c->session_key == NULL || c->setup->options->no_resumption)
        return;
    SSL_SESSION *ticket = edo__tls_session_take(all, c->session_key);
    if (ticket != NULL) {
        (void)SSL_set_session(c->ssl, ticket);
        SSL_SESSION_free(ticket);
    }
}

static int prepare_client(edo__tls *c, const char *host)
{
    const edo_tls_options *o = c->setup->options;
    SSL_set_connect_state(c->ssl);
    if (o->renegotiate)
        SSL_clear_options(c->ssl, SSL_OP_NO_RENEGOTIATION);
    SSL_set_verify(c->ssl, o->no_verify ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, edo__tls_verify);
    if (host == NULL && !o->no_verify)
        return -EINVAL;
    int rc = host != NULL ? set_host(c, host) : 0;
    if (rc == 0 && !o->no_verify)
        rc = edo__tls_need_trust(c->setup);
    if (rc < 0)
        return rc;
    if (c->setup->alpn_len > 0 && SSL_set_alpn_protos(c->ssl, c->setup->alpn, c->setup->alpn_len))
        return -ENOMEM;
    if (o->must_staple && !SSL_set_tlsext_status_type(c->ssl, TLSEXT_STATUSTYPE_ocsp))
        return -ENOMEM;
    offer_session(c);
    return 0;
}

static int prepare_server(edo__tls *c)
{
    const edo_tls_options *o = c->setup->options;
    if (o->n_certificates == 0) {
        edo__tls_say(c, -EINVAL, "a server needs a certificate");
        return -EINVAL;
    }
    SSL_set_accept_state(c->ssl);
    int mode = SSL_VERIFY_NONE;
    if (o->client_auth == EDO_TLS_CLIENT_OPTIONAL)
        mode = SSL_VERIFY_PEER;
    if (o->client_auth == EDO_TLS_CLIENT_REQUIRED)
        mode = SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    SSL_set_verify(c->ssl, mode, edo__tls_verify);
    return mode != SSL_VERIFY_NONE ? edo__tls_need_trust(c->setup) : 0;
}

/* ---- both ---- */

static int create(edo__tls **out, edo_stream *below, edo_tls_config *config, bool server)
{
    edo__tls *c = calloc(1, sizeof *c);
    if (c == NULL)
        return -ENOMEM;
    c->base.ops = &edo__tls_ops;
    c->below = below;
    c->config = edo_tls_config_ref(config);
    c->setup = edo__tls_setup_of(config);
    c->server = server;
    c->read_rc = c->write_rc = 1;
    c->alert = -1;
    edo_mutex_init(&c->lock);
    edo_mutex_init(&c->in_lock);
    edo_mutex_init(&c->out_lock);
    ERR_clear_error();
    c->ssl = SSL_new(c->setup->ctx[0]);
    if (c->ssl == NULL || SSL_set_app_data(c->ssl, c) != 1 || edo__tls_bio_attach(c) < 0) {
        edo__tls_free(c);
        return -ENOMEM;
    }
    *out = c;
    return 0;
}

static void report(edo_tls_error *error, const edo__tls *c, int rc)
{
    if (error == NULL)
        return;
    const char *text = "";
    if (rc < 0)
        text = c != NULL && c->error.code == rc ? c->error.text : edo_strerror(rc);
    error->code = rc;
    snprintf(error->text, sizeof error->text, "%s", text);
}

static int start(edo_stream **out, edo_stream *below, const char *host, edo_tls_config *config,
                 bool server, edo_tls_error *error)
{
    edo__tls *c = NULL;
    int rc = edo_checkpoint();
    if (rc == 0)
        rc = create(&c, below, config, server);
    if (rc == 0)
        rc = server ? prepare_server(c) : prepare_client(c, host);
    if (rc == 0)
        rc = handshake(c);
    if (rc == 0) {
        edo__tls_session_renew(c);
        rc = edo__tls_note_info(c);
    }
    report(error, c, rc);
    if (rc == 0)
        *out = &c->base;
    else if (c != NULL)
        edo__tls_free(c);
    return rc;
}

int edo_tls_client(edo_stream **out, edo_stream *below, const char *host, edo_tls_config *config,
                   edo_tls_error *error)
{
    return start(out, below, host, config, false, error);
}

int edo_tls_server(edo_stream **out, edo_stream *below, edo_tls_config *config,
                   edo_tls_error *error)
{
    return start(out, below, NULL, config, true, error);
}

int edo_tls_connect(edo_stream **out, const char *address, edo_tls_config *config,
                    edo_tls_error *error)
{
    edo_stream *below;
    int rc = edo_tcp_connect(&below, address, NULL);
    if (rc < 0) {
        report(error, NULL, rc);
        return rc;
    }
    rc = start(out, below, address, config, false, error);
    if (rc < 0)
        edo_close(below);
    return rc;
}
