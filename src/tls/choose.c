/* SPDX-License-Identifier: MIT */
/* What a server chooses when a client says hello: the certificate by the name that is asked for
 * (SNI), and the protocol (ALPN). OpenSSL calls these in the middle of a handshake. */
#include "internal.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>

/* The index of the first certificate for that name; the first of all when there is none. */
static size_t certificate_for(const setup *s, const char *name)
{
    for (size_t i = 0; i < s->n; i++) {
        X509 *cert = SSL_CTX_get0_certificate(s->ctx[i]);
        if (cert != NULL && X509_check_host(cert, name, 0, 0, NULL) == 1)
            return i;
    }
    ERR_clear_error();
    return 0;
}

static int choose_certificate(SSL *ssl, int *alert, void *unused)
{
    (void)unused;
    const edo__tls *c = SSL_get_app_data(ssl);
    if (c == NULL || !c->server)
        return SSL_TLSEXT_ERR_NOACK;
    const setup *s = c->setup;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    size_t i = 0;
    if (s->options->choose != NULL) {
        int chosen = s->options->choose(s->options->choose_arg, name);
        if (chosen < 0 || (size_t)chosen >= s->n) {
            *alert = SSL_AD_UNRECOGNIZED_NAME;
            return SSL_TLSEXT_ERR_ALERT_FATAL;
        }
        i = (size_t)chosen;
    } else if (name != NULL && s->n > 1) {
        i = certificate_for(s, name);
    }
    if (i > 0 && SSL_set_SSL_CTX(ssl, s->ctx[i]) == NULL) {
        *alert = SSL_AD_INTERNAL_ERROR;
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    return name != NULL ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

/* The first of ours that the client has, too: the server's order counts. */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                           const unsigned char *theirs, unsigned n, void *unused)
{
    (void)unused;
    const edo__tls *c = SSL_get_app_data(ssl);
    if (c == NULL || c->setup->alpn_len == 0)
        return SSL_TLSEXT_ERR_NOACK;
    const unsigned char *ours = c->setup->alpn;
    for (unsigned i = 0; i < c->setup->alpn_len; i += ours[i] + 1u)
        for (unsigned k = 0; k < n && k + theirs[k] < n; k += theirs[k] + 1u)
            if (ours[i] == theirs[k] && memcmp(ours + i, theirs + k, ours[i] + 1u) == 0) {
                *out = theirs + k + 1;
                *out_len = theirs[k];
                return SSL_TLSEXT_ERR_OK;
            }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

void edo__tls_set_choices(SSL_CTX *ctx)
{
    SSL_CTX_set_tlsext_servername_callback(ctx, choose_certificate);
    SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
}
