/* SPDX-License-Identifier: MIT */
/* Certificates as the tests need them, good ones and bad ones, made in memory. */
#ifndef TESTS_TLS_PKI_H
#define TESTS_TLS_PKI_H

#include "test.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

#define UNUSED __attribute__((unused))

typedef struct pki {
    EVP_PKEY *key;
    X509 *cert;
    char *cert_pem; /* the certificate, then the chain that was asked for */
    char *key_pem;
} pki;

typedef struct pki_options {
    const char *name;    /* common name */
    const char *alt;     /* "DNS:a.example,IP:127.0.0.1"; NULL: none */
    const pki *issuer;   /* NULL: itself */
    bool authority;      /* may issue others */
    int64_t from, until; /* seconds from now; 0: an hour ago, thirty days from now */
    int rsa_bits;        /* 0: an elliptic curve's key */
    const EVP_MD *md;    /* NULL: SHA-256 */
    const char *usage;   /* "serverAuth"; NULL: any */
    const pki *chain;    /* sent after it; NULL: nothing */
} pki_options;

UNUSED static void pki_extend(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx_nodb(&ctx);
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    CHECK(e != NULL);
    CHECK_INT(X509_add_ext(cert, e, -1), ==, 1);
    X509_EXTENSION_free(e);
}

UNUSED static char *pki_text(BIO *bio)
{
    char *data;
    long n = BIO_get_mem_data(bio, &data);
    char *text = malloc((size_t)n + 1);
    CHECK(text != NULL);
    memcpy(text, data, (size_t)n);
    text[n] = '\0';
    BIO_free(bio);
    return text;
}

UNUSED static char *pki_key_pem(EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    CHECK_INT(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), ==, 1);
    return pki_text(bio);
}

UNUSED static char *pki_cert_pem(X509 *cert, const pki *chain)
{
    BIO *bio = BIO_new(BIO_s_mem());
    CHECK_INT(PEM_write_bio_X509(bio, cert), ==, 1);
    if (chain != NULL)
        BIO_puts(bio, chain->cert_pem);
    return pki_text(bio);
}

UNUSED static pki *pki_make(const pki_options *o)
{
    static long serial = 1000;
    pki *p = calloc(1, sizeof *p);
    CHECK(p != NULL);
    p->key = o->rsa_bits > 0 ? EVP_RSA_gen((unsigned)o->rsa_bits) : EVP_EC_gen("P-256");
    p->cert = X509_new();
    CHECK(p->key != NULL && p->cert != NULL);
    X509 *issuer = o->issuer != NULL ? o->issuer->cert : p->cert;
    X509_set_version(p->cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(p->cert), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(p->cert), o->from != 0 ? (long)o->from : -3600);
    X509_gmtime_adj(X509_getm_notAfter(p->cert), o->until != 0 ? (long)o->until : 30 * 86400);
    X509_set_pubkey(p->cert, p->key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(p->cert), "CN", MBSTRING_UTF8,
                               (const unsigned char *)o->name, -1, -1, 0);
    X509_set_issuer_name(p->cert, X509_get_subject_name(issuer));
    pki_extend(p->cert, issuer, NID_basic_constraints,
               o->authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
    if (o->authority)
        pki_extend(p->cert, issuer, NID_key_usage, "critical,keyCertSign,cRLSign,digitalSignature");
    pki_extend(p->cert, issuer, NID_subject_key_identifier, "hash");
    if (o->alt != NULL)
        pki_extend(p->cert, issuer, NID_subject_alt_name, o->alt);
    if (o->usage != NULL)
        pki_extend(p->cert, issuer, NID_ext_key_usage, o->usage);
    const EVP_MD *md = o->md != NULL ? o->md : EVP_sha256();
    CHECK_INT(X509_sign(p->cert, o->issuer != NULL ? o->issuer->key : p->key, md), >, 0);
    p->cert_pem = pki_cert_pem(p->cert, o->chain);
    p->key_pem = pki_key_pem(p->key);
    return p;
}

UNUSED static void pki_free(pki *p)
{
    if (p == NULL)
        return;
    EVP_PKEY_free(p->key);
    X509_free(p->cert);
    free(p->cert_pem);
    free(p->key_pem);
    free(p);
}

/* A list of the issuer's revoked certificates, one or none on it, as PEM. */
UNUSED static char *pki_crl(const pki *issuer, const pki *revoked)
{
    X509_CRL *crl = X509_CRL_new();
    ASN1_TIME *now = X509_gmtime_adj(NULL, -60), *next = X509_gmtime_adj(NULL, 86400);
    CHECK(crl != NULL && now != NULL && next != NULL);
    X509_CRL_set_version(crl, 1);
    X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer->cert));
    X509_CRL_set1_lastUpdate(crl, now);
    X509_CRL_set1_nextUpdate(crl, next);
    if (revoked != NULL) {
        X509_REVOKED *entry = X509_REVOKED_new();
        X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(revoked->cert));
        X509_REVOKED_set_revocationDate(entry, now);
        X509_CRL_add0_revoked(crl, entry);
    }
    CHECK_INT(X509_CRL_sign(crl, issuer->key, EVP_sha256()), >, 0);
    BIO *bio = BIO_new(BIO_s_mem());
    CHECK_INT(PEM_write_bio_X509_CRL(bio, crl), ==, 1);
    ASN1_TIME_free(now);
    ASN1_TIME_free(next);
    X509_CRL_free(crl);
    return pki_text(bio);
}

/* A folder for files, removed by pki_dir_remove(). */
UNUSED static char pki_dir[64];

UNUSED static const char *pki_path(const char *name)
{
    static char paths[16][96];
    static unsigned next;
    if (pki_dir[0] == '\0') {
        strcpy(pki_dir, "/tmp/edo-tls-XXXXXX");
        CHECK(mkdtemp(pki_dir) != NULL);
    }
    char *path = paths[next++ % 16];
    snprintf(path, sizeof paths[0], "%s/%s", pki_dir, name);
    return path;
}

UNUSED static const char *pki_file(const char *name, const char *text)
{
    const char *path = pki_path(name);
    FILE *f = fopen(path, "w");
    CHECK(f != NULL);
    CHECK_UINT(fwrite(text, 1, strlen(text), f), ==, strlen(text));
    CHECK_INT(fclose(f), ==, 0);
    return path;
}

UNUSED static void pki_dir_remove(void)
{
    char command[128];
    if (pki_dir[0] == '\0')
        return;
    snprintf(command, sizeof command, "rm -rf %s", pki_dir);
    CHECK_INT(system(command), ==, 0);
    pki_dir[0] = '\0';
}

#endif
