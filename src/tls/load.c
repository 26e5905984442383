/* SPDX-License-Identifier: MIT */
/* Certificates, keys, roots and revocation lists, from files and from memory. A file is opened here
 * first, so that one that cannot be read is told apart from one that holds nonsense. */
#include "internal.h"

#include <edo/blocking.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

int edo__tls_load_failed(edo_tls_error *error, const char *what, int code)
{
    char text[160];
    bool no_memory = ERR_GET_REASON(ERR_peek_error()) == ERR_R_MALLOC_FAILURE;
    edo__tls_queue_text(text, sizeof text);
    snprintf(error->text, sizeof error->text, "%.90s: %s", what, text);
    return no_memory ? -ENOMEM : code;
}

static int open_file(BIO **out, const char *path, edo_tls_error *error)
{
    FILE *f = fopen(path, "re");
    if (f == NULL) {
        int rc = -errno;
        snprintf(error->text, sizeof error->text, "%.150s: %s", path, edo_strerror(rc));
        return rc;
    }
    *out = BIO_new_fp(f, BIO_CLOSE);
    if (*out == NULL) {
        fclose(f);
        return edo__tls_load_failed(error, path, -ENOMEM);
    }
    return 0;
}

/* Text from a file or, when that is NULL, from memory. */
static int open_pem(BIO **out, const char *file, const char *text, edo_tls_error *error)
{
    if (file != NULL)
        return open_file(out, file, error);
    *out = BIO_new_mem_buf(text, -1);
    return *out != NULL ? 0 : edo__tls_load_failed(error, "OpenSSL", -ENOMEM);
}

/* For keys: never asks on the terminal. */
static int password(char *out, int size, int rwflag, void *text)
{
    (void)rwflag;
    int n = snprintf(out, (size_t)size, "%s", text != NULL ? (const char *)text : "");
    return n < size ? n : -1;
}

/* Whether reading came to the end of what is there, and not to something broken. */
static bool at_end(void)
{
    unsigned long e = ERR_peek_last_error();
    bool end = ERR_GET_LIB(e) == ERR_LIB_PEM && ERR_GET_REASON(e) == PEM_R_NO_START_LINE;
    if (end)
        ERR_clear_error();
    return end;
}

static int read_chain(SSL_CTX *ctx, BIO *bio)
{
    X509 *cert = PEM_read_bio_X509(bio, NULL, password, NULL);
    if (cert == NULL || !SSL_CTX_use_certificate(ctx, cert)) {
        X509_free(cert);
        return EDO_ETLS;
    }
    X509_free(cert);
    while ((cert = PEM_read_bio_X509(bio, NULL, password, NULL)) != NULL) {
        if (!SSL_CTX_add0_chain_cert(ctx, cert)) {
            X509_free(cert);
            return EDO_ETLS;
        }
    }
    return at_end() ? 0 : EDO_ETLS;
}

static int read_key(SSL_CTX *ctx, BIO *bio, const char *secret)
{
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, password, (void *)secret);
    int rc = key != NULL && SSL_CTX_use_PrivateKey(ctx, key) ? 0 : EDO_ETLS;
    EVP_PKEY_free(key);
    return rc;
}

int edo__tls_load_certificate(SSL_CTX *ctx, const edo_tls_certificate *c, edo_tls_error *error)
{
    BIO *bio;
    if (c->cert_file == NULL && c->cert_pem == NULL) {
        snprintf(error->text, sizeof error->text, "a certificate needs cert_file or cert_pem");
        return -EINVAL;
    }
    const char *what = c->cert_file != NULL ? c->cert_file : "certificate";
    int rc = open_pem(&bio, c->cert_file, c->cert_pem, error);
    if (rc < 0)
        return rc;
    rc = read_chain(ctx, bio);
    BIO_free(bio);
    if (rc < 0)
        return edo__tls_load_failed(error, what, rc);
    bool same = c->key_file == NULL && c->key_pem == NULL;
    const char *file = same ? c->cert_file : c->key_file;
    what = file != NULL ? file : "key";
    rc = open_pem(&bio, file, same ? c->cert_pem : c->key_pem, error);
    if (rc < 0)
        return rc;
    rc = read_key(ctx, bio, c->password);
    BIO_free(bio);
    return rc < 0 ? edo__tls_load_failed(error, what, rc) : 0;
}

/* Certificates and revocation lists of a text; how many, or a code. */
static int add_all(X509_STORE *store, BIO *bio)
{
    STACK_OF(X509_INFO) *all = PEM_X509_INFO_read_bio(bio, NULL, password, NULL);
    if (all == NULL)
        return EDO_ETLS;
    int count = 0, rc = 0;
    for (int i = 0; i < sk_X509_INFO_num(all) && rc == 0; i++) {
        const X509_INFO *one = sk_X509_INFO_value(all, i);
        if (one->x509 != NULL && !X509_STORE_add_cert(store, one->x509))
            rc = EDO_ETLS;
        if (one->crl != NULL && !X509_STORE_add_crl(store, one->crl))
            rc = EDO_ETLS;
        count += one->x509 != NULL || one->crl != NULL;
    }
    sk_X509_INFO_pop_free(all, X509_INFO_free);
    return rc < 0 ? rc : count;
}

static int add_from(X509_STORE *store, const char *file, const char *text, edo_tls_error *error)
{
    BIO *bio;
    const char *what = file != NULL ? file : "ca_pem";
    int rc = open_pem(&bio, file, text, error);
    if (rc < 0)
        return rc;
    int count = add_all(store, bio);
    BIO_free(bio);
    if (count < 0)
        return edo__tls_load_failed(error, what, count);
    ERR_clear_error();
    if (count == 0) {
        snprintf(error->text, sizeof error->text, "%.150s: holds nothing in PEM form", what);
        return EDO_ETLS;
    }
    return 0;
}

int edo__tls_load_trust(SSL_CTX *ctx, const edo_tls_options *o, edo_tls_error *error)
{
    X509_STORE *store = SSL_CTX_get_cert_store(ctx);
    bool own = o->ca_file != NULL || o->ca_dir != NULL || o->ca_pem != NULL;
    int rc = 0;
    if (o->ca_file != NULL)
        rc = add_from(store, o->ca_file, NULL, error);
    if (rc == 0 && o->ca_pem != NULL)
        rc = add_from(store, NULL, o->ca_pem, error);
    if (rc == 0 && o->ca_dir != NULL && !X509_STORE_load_path(store, o->ca_dir))
        rc = edo__tls_load_failed(error, o->ca_dir, EDO_ETLS);
    if (rc == 0 && o->crl_file != NULL) {
        rc = add_from(store, o->crl_file, NULL, error);
        X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
    }
    if (rc == 0 && own) /* what was named is trusted, be it a root or not */
        X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
    return rc;
}

/* Some 140 certificates, 20 ms, a megabyte: not for a server that asks no client for its own. */
static int read_system_roots(void *arg)
{
    setup *s = arg;
    ERR_clear_error();
    int rc = SSL_CTX_set_default_verify_paths(s->ctx[0]) ? 0 : -ENOMEM;
    ERR_clear_error(); /* a folder that is not there is no failure */
    return rc;
}

static int load_system_roots(void *arg)
{
    return edo_blocking(read_system_roots, arg);
}

int edo__tls_need_trust(setup *s)
{
    const edo_tls_options *o = s->options;
    bool own = o->ca_file != NULL || o->ca_dir != NULL || o->ca_pem != NULL;
    return own && !o->system_roots ? 0 : edo_once_run(&s->roots, load_system_roots, s);
}
