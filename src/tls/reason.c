/* SPDX-License-Identifier: MIT */
/* What went wrong, in words. Three can say it: the judge of the peer's certificate, who is asked while
 * it is at hand; the peer, whose alert was seen; and OpenSSL's error queue. That queue belongs to the
 * thread and not to the task, so it is emptied here before anything may suspend. */
#include "internal.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

/* What the reasons of OpenSSL that people meet most mean. NULL: its own words will do. */
static const char *meaning(unsigned long e)
{
    if (ERR_GET_LIB(e) == ERR_LIB_OSSL_DECODER)
        return "no key that can be read, or not with this password";
    if (ERR_GET_LIB(e) != ERR_LIB_SSL)
        return NULL;
    switch (ERR_GET_REASON(e)) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
    case SSL_R_RECORD_LENGTH_MISMATCH:
    case SSL_R_PACKET_LENGTH_TOO_LONG: return "the other side does not speak TLS";
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_NO_PROTOCOLS_AVAILABLE:
    case SSL_R_VERSION_TOO_LOW: return "no version of TLS in common";
    case SSL_R_NO_SHARED_CIPHER: return "no cipher in common, or none for this certificate";
    case SSL_R_NO_APPLICATION_PROTOCOL: return "no protocol in common (ALPN)";
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE: return "the client has shown no certificate";
    case SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC: return "a record was damaged on its way";
    case SSL_R_CALLBACK_FAILED: return "no certificate for the name that was asked for";
    default: return NULL;
    }
}

void edo__tls_queue_text(char *out, size_t size)
{
    const char *data = NULL;
    int flags = 0;
    unsigned long e = ERR_get_error_all(NULL, NULL, NULL, &data, &flags);
    const char *words = ERR_reason_error_string(e), *means = meaning(e);
    if (e == 0)
        words = "no reason given";
    else if (words == NULL)
        words = "an error of the system";
    bool more = (flags & ERR_TXT_STRING) != 0 && data != NULL && data[0] != '\0';
    if (means != NULL)
        snprintf(out, size, "%s (%s)", means, words);
    else
        snprintf(out, size, "%s%s%.80s%s", words, more ? " (" : "", more ? data : "",
                 more ? ")" : "");
    ERR_clear_error();
}

/* OpenSSL 3.0 has no words for the newest ones. */
static const char *alert_text(int alert)
{
    switch (alert) {
    case TLS13_AD_MISSING_EXTENSION: return "missing extension";
    case TLS13_AD_CERTIFICATE_REQUIRED: return "certificate required";
    default: return SSL_alert_desc_string_long(alert);
    }
}

void edo__tls_say(edo__tls *c, int code, const char *text)
{
    if (c->error.code != 0)
        return;
    snprintf(c->error.text, sizeof c->error.text, "%s", text);
    c->error.code = code;
}

int edo__tls_failure(edo__tls *c, int ret)
{
    int kind = SSL_get_error(c->ssl, ret);
    if (kind == SSL_ERROR_WANT_READ) {
        ERR_clear_error();
        return WANT_INPUT;
    }
    if (kind == SSL_ERROR_ZERO_RETURN) {
        ERR_clear_error();
        return 0;
    }
    unsigned long e = ERR_peek_error();
    if (c->no_memory || ERR_GET_REASON(e) == ERR_R_MALLOC_FAILURE) {
        ERR_clear_error();
        edo__tls_say(c, -ENOMEM, edo_strerror(-ENOMEM));
        return -ENOMEM;
    }
    char text[256];
    bool judged =
        ERR_GET_LIB(e) == ERR_LIB_SSL && (ERR_GET_REASON(e) == SSL_R_CERTIFICATE_VERIFY_FAILED ||
                                          ERR_GET_REASON(e) == SSL_R_INVALID_STATUS_RESPONSE);
    edo__tls_queue_text(text, sizeof text);
    if (judged && c->verify_text[0] != '\0')
        snprintf(text, sizeof text, "%s", c->verify_text);
    else if (c->alert >= 0)
        snprintf(text, sizeof text, "refused by the other side: %s", alert_text(c->alert));
    edo__tls_say(c, EDO_ETLS, text);
    return EDO_ETLS;
}

void edo__tls_info_callback(const SSL *ssl, int where, int ret)
{
    edo__tls *c = SSL_get_app_data(ssl);
    if (c != NULL && (where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT && ret >> 8 == SSL3_AL_FATAL)
        c->alert = ret & 0xff;
}

/* ---- the peer's certificate ---- */

static void name_of(X509_NAME *name, char *out, size_t size)
{
    int n = X509_NAME_get_text_by_NID(name, NID_commonName, out, (int)size);
    if (n <= 0)
        n = X509_NAME_get_text_by_NID(name, NID_organizationName, out, (int)size);
    if (n <= 0)
        snprintf(out, size, "without a name");
}

/* "3 days", of a time in the past or to come. */
static void duration(const ASN1_TIME *at, char *out, size_t size)
{
    int days = 0, seconds = 0;
    ASN1_TIME_diff(&days, &seconds, at, NULL);
    days = days < 0 ? -days : days;
    seconds = seconds < 0 ? -seconds : seconds;
    int n = days > 0 ? days : seconds >= 3600 ? seconds / 3600 : seconds / 60;
    const char *unit = days > 0 ? "day" : seconds >= 3600 ? "hour" : "minute";
    snprintf(out, size, "%d %s%s", n, unit, n == 1 ? "" : "s");
}

/* The names a certificate is for, as many as there is room for. */
static void names_for(X509 *cert, char *out, size_t size)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    size_t used = 0;
    out[0] = '\0';
    for (int i = 0; i < sk_GENERAL_NAME_num(names) && used + 2 < size; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        char one[64] = "";
        if (name->type == GEN_DNS) {
            snprintf(one, sizeof one, "%.60s",
                     (const char *)ASN1_STRING_get0_data(name->d.dNSName));
        } else if (name->type == GEN_IPADD) {
            const unsigned char *ip = ASN1_STRING_get0_data(name->d.iPAddress);
            if (ASN1_STRING_length(name->d.iPAddress) == 4)
                snprintf(one, sizeof one, "%d.%d.%d.%d", ip[0], ip[1], ip[2], ip[3]);
            else
                snprintf(one, sizeof one, "an IPv6 address");
        }
        if (one[0] != '\0')
            used += (size_t)snprintf(out + used, size - used, "%s%s", used > 0 ? ", " : "", one);
    }
    GENERAL_NAMES_free(names);
    if (out[0] == '\0')
        snprintf(out, size, "no name at all");
}

/* What adds to OpenSSL's words for this error. */
static void detail(const edo__tls *c, X509 *cert, int error, char *out, size_t size)
{
    char text[96];
    int n = 0; /* a text that is too long is cut */
    out[0] = '\0';
    switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        duration(X509_get0_notAfter(cert), text, sizeof text);
        snprintf(out, size, "%s ago", text);
        break;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        duration(X509_get0_notBefore(cert), text, sizeof text);
        snprintf(out, size, "but in %s", text);
        break;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH:
        names_for(cert, text, sizeof text);
        n = snprintf(out, size, "for %s, not for %.60s", text, c->host != NULL ? c->host : "?");
        break;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        name_of(X509_get_issuer_name(cert), text, sizeof text);
        n = snprintf(out, size, "issued by %.60s: not trusted, or a certificate between is missing",
                     text);
        break;
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN: snprintf(out, size, "not trusted"); break;
    case X509_V_ERR_EE_KEY_TOO_SMALL:
    case X509_V_ERR_CA_KEY_TOO_SMALL:
        snprintf(out, size, "%d bits", EVP_PKEY_get_bits(X509_get0_pubkey(cert)));
        break;
    case X509_V_ERR_CA_MD_TOO_WEAK:
        snprintf(out, size, "%s", OBJ_nid2sn(X509_get_signature_nid(cert)));
        break;
    default: break;
    }
    (void)n;
}

/* OpenSSL judges a certificate of the peer's chain; ok 0: it is not good. */
int edo__tls_verify(int ok, X509_STORE_CTX *store)
{
    const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    edo__tls *c = SSL_get_app_data(ssl);
    if (ok || c == NULL || c->verify_text[0] != '\0')
        return ok;
    int error = X509_STORE_CTX_get_error(store);
    X509 *cert = X509_STORE_CTX_get_current_cert(store);
    const char *words = X509_verify_cert_error_string(error);
    char name[64] = "", more[170] = "";
    if (cert != NULL) {
        name_of(X509_get_subject_name(cert), name, sizeof name);
        detail(c, cert, error, more, sizeof more);
    }
    if (error == X509_V_ERR_HOSTNAME_MISMATCH || error == X509_V_ERR_IP_ADDRESS_MISMATCH)
        snprintf(c->verify_text, sizeof c->verify_text, "%.60s (%.170s)", words, more);
    else
        snprintf(c->verify_text, sizeof c->verify_text, "%.60s (%.48s%s%.120s)", words, name,
                 more[0] != '\0' ? ", " : "", more);
    return 0;
}
