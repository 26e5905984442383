/* SPDX-License-Identifier: MIT */
/* What is known about a connection. It is written down once, when the handshake is done, so that to
 * look at it takes no lock. */
#include "internal.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The texts that OpenSSL makes for us; freed when they are copied. */
typedef struct notes {
    char *subject, *issuer;
    unsigned char *cert;
    int cert_len;
    const unsigned char *alpn;
    unsigned alpn_len;
    const char *name;
} notes;

static char *name_text(const X509_NAME *name)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *data, *text = NULL;
    if (bio == NULL)
        return NULL;
    if (X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~(unsigned)ASN1_STRFLGS_ESC_MSB) >= 0) {
        long n = BIO_get_mem_data(bio, &data);
        text = n >= 0 ? OPENSSL_strndup(data, (size_t)n) : NULL;
    }
    BIO_free(bio);
    return text;
}

static int64_t expiry(const X509 *cert)
{
    struct tm tm;
    if (ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm) != 1)
        return 0;
    return (int64_t)timegm(&tm);
}

static int note_certificate(edo_tls_info *info, notes *n, const X509 *cert)
{
    unsigned len = 0;
    n->subject = name_text(X509_get_subject_name(cert));
    n->issuer = name_text(X509_get_issuer_name(cert));
    n->cert_len = i2d_X509(cert, &n->cert);
    info->expires = expiry(cert);
    if (n->subject == NULL || n->issuer == NULL || n->cert_len <= 0 ||
        X509_digest(cert, EVP_sha256(), info->sha256, &len) != 1)
        return -ENOMEM;
    return 0;
}

static void *put(char **at, const void *from, size_t n)
{
    if (from == NULL)
        return NULL;
    char *to = memcpy(*at, from, n);
    to[n] = '\0';
    *at += n + 1;
    return to;
}

static size_t text_size(const char *text)
{
    return text != NULL ? strlen(text) + 1 : 0;
}

static int write_down(edo__tls *c, const edo_tls_info *info, const notes *n)
{
    size_t size = text_size(n->subject) + text_size(n->issuer) + text_size(n->name) + n->alpn_len +
                  1 + (size_t)n->cert_len + 1;
    edo_tls_info *to = malloc(sizeof *to + size);
    if (to == NULL)
        return -ENOMEM;
    char *at = (char *)(to + 1);
    *to = *info;
    to->subject = put(&at, n->subject, n->subject != NULL ? strlen(n->subject) : 0);
    to->issuer = put(&at, n->issuer, n->issuer != NULL ? strlen(n->issuer) : 0);
    to->server_name = put(&at, n->name, n->name != NULL ? strlen(n->name) : 0);
    to->alpn = n->alpn_len > 0 ? put(&at, n->alpn, n->alpn_len) : NULL;
    to->cert = put(&at, n->cert, (size_t)n->cert_len);
    to->cert_len = (size_t)n->cert_len;
    c->info = to;
    return 0;
}

int edo__tls_note_info(edo__tls *c)
{
    notes n = { 0 };
    edo_tls_info info = { .version = SSL_get_version(c->ssl),
                          .cipher = SSL_get_cipher_name(c->ssl),
                          .resumed = SSL_session_reused(c->ssl) == 1,
                          .stapled = c->stapled };
    n.name = c->server ? SSL_get_servername(c->ssl, TLSEXT_NAMETYPE_host_name) : c->host;
    if (!c->server && SSL_get_servername(c->ssl, TLSEXT_NAMETYPE_host_name) == NULL)
        n.name = NULL; /* an address is not asked for */
    SSL_get0_alpn_selected(c->ssl, &n.alpn, &n.alpn_len);
    X509 *cert = SSL_get0_peer_certificate(c->ssl);
    int rc = 0;
    if (cert != NULL) {
        info.verified = SSL_get_verify_result(c->ssl) == X509_V_OK;
        rc = note_certificate(&info, &n, cert);
    }
    if (rc == 0)
        rc = write_down(c, &info, &n);
    ERR_clear_error();
    OPENSSL_free(n.subject);
    OPENSSL_free(n.issuer);
    OPENSSL_free(n.cert);
    return rc;
}

int edo_tls_describe(edo_stream *s, edo_tls_info *out)
{
    const edo__tls *c = edo__tls_of(s);
    if (c == NULL)
        return -EINVAL;
    *out = *c->info;
    return 0;
}

const char *edo_tls_reason(edo_stream *s)
{
    const edo__tls *c = edo__tls_of(s);
    return c != NULL ? c->error.text : "";
}

int edo_tls_export(edo_stream *s, const char *label, const void *context, size_t context_len,
                   void *out, size_t n)
{
    edo__tls *c = edo__tls_of(s);
    if (c == NULL || n == 0)
        return -EINVAL;
    int rc = edo_mutex_lock(&c->lock);
    if (rc < 0)
        return rc;
    ERR_clear_error();
    rc = SSL_export_keying_material(c->ssl, out, n, label, strlen(label), context, context_len,
                                    context != NULL) == 1
             ? 0
             : EDO_ETLS;
    ERR_clear_error();
    edo_mutex_unlock(&c->lock);
    return rc;
}

/* With out_lock. */
static int update_keys(edo__tls *c, bool both)
{
    int rc = edo__tls_flush(c);
    if (rc == 0 && c->notified)
        rc = -EPIPE;
    if (rc == 0)
        rc = edo_mutex_lock(&c->lock);
    if (rc < 0)
        return rc;
    ERR_clear_error();
    int ret =
        SSL_key_update(c->ssl, both ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED);
    if (ret == 1)
        ret = SSL_do_handshake(c->ssl); /* makes the message */
    rc = ret == 1 ? 0 : edo__tls_failure(c, ret);
    edo__tls_take(c);
    edo_mutex_unlock(&c->lock);
    return rc == 0 ? edo__tls_flush(c) : rc;
}

int edo_tls_update_keys(edo_stream *s, bool both)
{
    edo__tls *c = edo__tls_of(s);
    if (c == NULL)
        return -EINVAL;
    if (SSL_version(c->ssl) < TLS1_3_VERSION)
        return -EOPNOTSUPP;
    int rc = edo_mutex_lock(&c->out_lock);
    if (rc < 0)
        return rc;
    rc = update_keys(c, both);
    edo_mutex_unlock(&c->out_lock);
    return rc;
}
