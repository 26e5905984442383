/* SPDX-License-Identifier: MIT */
/* A setup: contexts of OpenSSL, one for each certificate, all with the same trust and rules. Reads
 * files: runs on the blocking pool. */
#include "internal.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>

#define SESSION_SECONDS 7200

static int version_of(edo_tls_version v, int otherwise)
{
    return v == EDO_TLS_1_3 ? TLS1_3_VERSION : v == EDO_TLS_1_2 ? TLS1_2_VERSION : otherwise;
}

/* One setting of the options that OpenSSL may not like. */
static int refused(edo_tls_error *error, const char *what, const char *value)
{
    snprintf(error->text, sizeof error->text, "%s: \"%s\" names nothing OpenSSL knows", what,
             value != NULL ? value : "");
    ERR_clear_error();
    return -EINVAL;
}

static int set_rules(SSL_CTX *ctx, const edo_tls_options *o, edo_tls_error *error)
{
    if (!SSL_CTX_set_min_proto_version(ctx, version_of(o->min_version, TLS1_2_VERSION)) ||
        !SSL_CTX_set_max_proto_version(ctx, version_of(o->max_version, 0)))
        return refused(error, "versions", "");
    if (o->ciphers != NULL && !SSL_CTX_set_cipher_list(ctx, o->ciphers))
        return refused(error, "ciphers", o->ciphers);
    if (o->ciphersuites != NULL && !SSL_CTX_set_ciphersuites(ctx, o->ciphersuites))
        return refused(error, "ciphersuites", o->ciphersuites);
    if (o->groups != NULL && !SSL_CTX_set1_groups_list(ctx, o->groups))
        return refused(error, "groups", o->groups);
    /* Records are built in memory, so a write is never half done. Buffers of idle connections are
     * given back: 34 KB each. The chain is what the file says, not what could be made of the roots at
     * each handshake anew. */
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                              SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    return 0;
}

static int set_sessions(SSL_CTX *ctx, const edo_tls_options *o)
{
    static const unsigned char scope[] = "edo"; /* of session ids: all that one context accepts */
    SSL_CTX_set_timeout(ctx, SESSION_SECONDS);
    if (!SSL_CTX_set_session_id_context(ctx, scope, sizeof scope - 1))
        return -ENOMEM;
    if (o->no_resumption) {
        SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
        SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
        SSL_CTX_set_num_tickets(ctx, 0);
        return 0;
    }
    edo__tls_set_tickets(ctx);
    edo__tls_set_sessions(ctx);
    return 0;
}

static int make_context(setup *s, size_t i, edo_tls_config *c, edo_tls_error *error)
{
    const edo_tls_options *o = s->options;
    SSL_CTX *ctx = SSL_CTX_new(TLS_method());
    if (ctx == NULL)
        return edo__tls_load_failed(error, "OpenSSL", -ENOMEM);
    s->ctx[i] = ctx;
    (void)SSL_CTX_set_app_data(ctx, c);
    const edo_tls_certificate *own = i < o->n_certificates ? &o->certificates[i] : NULL;
    int rc = set_rules(ctx, o, error);
    if (rc == 0)
        rc = set_sessions(ctx, o);
    if (rc == 0 && own != NULL)
        rc = edo__tls_load_certificate(ctx, own, error);
    if (rc == 0)
        rc = edo__tls_set_ocsp(ctx, own, error);
    if (rc == 0 && i == 0)
        rc = edo__tls_load_trust(ctx, o, error);
    if (rc < 0)
        return rc;
    if (i > 0) /* the same trust for all: read once */
        SSL_CTX_set1_cert_store(ctx, SSL_CTX_get_cert_store(s->ctx[0]));
    SSL_CTX_set_info_callback(ctx, edo__tls_info_callback);
    edo__tls_set_choices(ctx);
    if (o->keylog)
        edo__tls_set_keylog(ctx);
    return 0;
}

static int make_contexts(setup *s, edo_tls_config *c, edo_tls_error *error)
{
    for (size_t i = 0; i < s->n; i++) {
        int rc = make_context(s, i, c, error);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static void free_contexts(setup *s)
{
    for (size_t i = 0; i < s->n && s->ctx[i] != NULL; i++) {
        edo__tls_free_ocsp(s->ctx[i]);
        SSL_CTX_free(s->ctx[i]);
    }
    BIO_meth_free(s->bio);
    ERR_clear_error();
    free(s);
}

int edo__tls_setup_create(setup **out, edo_tls_config *c, edo_tls_options *options,
                          edo_tls_error *error)
{
    unsigned alpn_len;
    if (edo__tls_alpn_wire(options, NULL, &alpn_len) < 0) {
        snprintf(error->text, sizeof error->text, "alpn: a name of 1 to 255 bytes is needed");
        return -EINVAL;
    }
    size_t n = options->n_certificates > 0 ? options->n_certificates : 1;
    size_t size = sizeof(setup) + n * sizeof(SSL_CTX *);
    setup *s = calloc(1, size + alpn_len);
    if (s == NULL)
        return -ENOMEM;
    s->refs = 1;
    edo_once_init(&s->roots);
    s->options = options;
    s->n = n;
    s->alpn = (unsigned char *)s + size;
    (void)edo__tls_alpn_wire(options, s->alpn, &s->alpn_len);
    s->bio = edo__tls_bio_method();
    int rc = s->bio != NULL ? make_contexts(s, c, error) : -ENOMEM;
    if (rc < 0) {
        free_contexts(s);
        return rc;
    }
    *out = s;
    return 0;
}

void edo__tls_setup_unref(setup *s)
{
    /* pairs with itself: the last one sees all that the others did */
    if (edo__asub(&s->refs, 1u, EDO__AR) > 1)
        return;
    free(s->options);
    free_contexts(s);
}
