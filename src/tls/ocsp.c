/* SPDX-License-Identifier: MIT */
/* The authority's word that a certificate is not revoked, sent along by the server (stapled OCSP, RFC
 * 6066): a server sends what lies in a file, and a client that insists on it judges it. Nobody asks
 * the authority itself: that would tell it who talks to whom. */
#include "internal.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MAX (1 << 16)
#define CLOCKS_DIFFER 300 /* seconds */

typedef struct staple {
    int len;
    unsigned char data[];
} staple;

static int send_answer(SSL *ssl, const staple *s)
{
    if (s == NULL)
        return SSL_TLSEXT_ERR_NOACK;
    unsigned char *copy = OPENSSL_memdup(s->data, (size_t)s->len); /* OpenSSL's, which frees it */
    if (copy == NULL)
        return SSL_TLSEXT_ERR_NOACK;
    SSL_set_tlsext_status_ocsp_resp(ssl, copy, s->len);
    return SSL_TLSEXT_ERR_OK;
}

/* What the answer says of this certificate: NULL when it is good. */
static const char *judge_status(OCSP_BASICRESP *basic, X509 *cert, X509 *issuer)
{
    OCSP_CERTID *id = OCSP_cert_to_id(NULL, cert, issuer);
    int status = V_OCSP_CERTSTATUS_UNKNOWN;
    ASN1_GENERALIZEDTIME *from = NULL, *until = NULL;
    int found =
        id != NULL ? OCSP_resp_find_status(basic, id, &status, NULL, NULL, &from, &until) : 0;
    OCSP_CERTID_free(id);
    if (!found)
        return "the stapled answer is about another certificate";
    if (!OCSP_check_validity(from, until, CLOCKS_DIFFER, -1))
        return "the stapled answer is out of date";
    if (status == V_OCSP_CERTSTATUS_REVOKED)
        return "certificate revoked, says the stapled answer";
    return status == V_OCSP_CERTSTATUS_GOOD ? NULL : "the authority does not know the certificate";
}

static const char *judge_answer(SSL *ssl, OCSP_RESPONSE *answer)
{
    if (OCSP_response_status(answer) != OCSP_RESPONSE_STATUS_SUCCESSFUL)
        return "the stapled answer is none";
    OCSP_BASICRESP *basic = OCSP_response_get1_basic(answer);
    if (basic == NULL)
        return "the stapled answer is damaged";
    STACK_OF(X509) *chain = SSL_get0_verified_chain(ssl);
    X509_STORE *store = SSL_CTX_get_cert_store(SSL_get_SSL_CTX(ssl));
    const char *bad = NULL;
    if (OCSP_basic_verify(basic, chain, store, 0) != 1)
        bad = "the stapled answer is not the authority's";
    else if (sk_X509_num(chain) >= 1)
        bad = judge_status(basic, sk_X509_value(chain, 0),
                           sk_X509_value(chain, sk_X509_num(chain) > 1 ? 1 : 0));
    OCSP_BASICRESP_free(basic);
    return bad;
}

static int receive_answer(SSL *ssl, edo__tls *c)
{
    const unsigned char *data = NULL;
    long n = SSL_get_tlsext_status_ocsp_resp(ssl, &data);
    const char *bad = "the server has sent no proof that its certificate is not revoked";
    if (n > 0 && data != NULL) {
        OCSP_RESPONSE *answer = d2i_OCSP_RESPONSE(NULL, &data, n);
        bad = answer != NULL ? judge_answer(ssl, answer) : "the stapled answer is damaged";
        OCSP_RESPONSE_free(answer);
        ERR_clear_error();
    }
    c->stapled = bad == NULL;
    if (bad != NULL)
        snprintf(c->verify_text, sizeof c->verify_text, "%s", bad);
    return bad == NULL;
}

static int status(SSL *ssl, void *arg)
{
    edo__tls *c = SSL_get_app_data(ssl);
    return c->server ? send_answer(ssl, arg) : receive_answer(ssl, c);
}

static int read_file(staple **out, const char *path)
{
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return -errno;
    staple *s = malloc(sizeof *s + ANSWER_MAX);
    int rc = s != NULL ? 0 : -ENOMEM;
    if (rc == 0) {
        size_t n = fread(s->data, 1, ANSWER_MAX, f);
        s->len = (int)n;
        rc = ferror(f) ? -EIO : n == ANSWER_MAX ? EDO_EOVERSIZE : 0;
    }
    fclose(f);
    if (rc < 0)
        free(s);
    else
        *out = s;
    return rc;
}

int edo__tls_set_ocsp(SSL_CTX *ctx, const edo_tls_certificate *own, edo_tls_error *error)
{
    staple *s = NULL;
    const char *path = own != NULL ? own->ocsp_file : NULL;
    int rc = path != NULL ? read_file(&s, path) : 0;
    if (rc < 0) {
        snprintf(error->text, sizeof error->text, "%.150s: %s", path, edo_strerror(rc));
        return rc;
    }
    SSL_CTX_set_tlsext_status_cb(ctx, status);
    SSL_CTX_set_tlsext_status_arg(ctx, s);
    return 0;
}

void edo__tls_free_ocsp(SSL_CTX *ctx)
{
    void *s = NULL;
    SSL_CTX_get_tlsext_status_arg(ctx, &s);
    free(s);
}
