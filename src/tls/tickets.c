/* SPDX-License-Identifier: MIT */
/* What seals a server's tickets. The keys are the configuration's and not a context's, so that a
 * reload leaves tickets good; and they change, because who has the key can read every connection of
 * TLS 1.2 that was resumed with it. */
#include "internal.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>
#include <time.h>

#define ROTATE_SECONDS (12 * 3600) /* and good for as long again: more than any ticket lives */

static int64_t clock_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec + 1;
}

static int make_key(ticket_key *k)
{
    if (RAND_bytes(k->name, sizeof k->name) != 1 ||
        RAND_priv_bytes(k->cipher, sizeof k->cipher) != 1 ||
        RAND_priv_bytes(k->mac, sizeof k->mac) != 1)
        return EDO_ETLS;
    k->made = clock_seconds();
    return 0;
}

int edo__tls_tickets_init(ticket_keys *k)
{
    return make_key(&k->now);
}

/* The key to seal with, a new one when it is time. */
static int sealing_key(ticket_keys *k, ticket_key *out)
{
    int64_t now = clock_seconds();
    edo__spin_lock(&k->lock);
    *out = k->now;
    edo__spin_unlock(&k->lock);
    if (now - out->made < ROTATE_SECONDS)
        return 0;
    ticket_key fresh;
    int rc = make_key(&fresh);
    if (rc < 0)
        return rc;
    edo__spin_lock(&k->lock);
    if (k->now.made == out->made) { /* nobody was faster */
        k->before = k->now;
        k->now = fresh;
    }
    *out = k->now;
    edo__spin_unlock(&k->lock);
    OPENSSL_cleanse(&fresh, sizeof fresh);
    return 0;
}

/* The key of that name: 1; 2 when it is an old one (the client gets a new ticket); 0 when there is
 * none. */
static int opening_key(ticket_keys *k, const unsigned char *name, ticket_key *out)
{
    int64_t now = clock_seconds();
    edo__spin_lock(&k->lock);
    int which = 0;
    if (memcmp(k->now.name, name, TICKET_NAME) == 0)
        which = 1;
    else if (k->before.made != 0 && memcmp(k->before.name, name, TICKET_NAME) == 0)
        which = 2;
    if (which > 0)
        *out = which == 1 ? k->now : k->before;
    edo__spin_unlock(&k->lock);
    if (which == 0 || now - out->made >= 2 * ROTATE_SECONDS)
        return 0;
    return now - out->made < ROTATE_SECONDS ? which : 2;
}

static bool use_key(const ticket_key *k, const unsigned char *iv, EVP_CIPHER_CTX *cipher,
                    EVP_MAC_CTX *mac, int seal)
{
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)k->mac, TICKET_KEY),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0),
        OSSL_PARAM_construct_end(),
    };
    return EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, k->cipher, iv, seal) == 1 &&
           EVP_MAC_CTX_set_params(mac, params) == 1;
}

/* OpenSSL seals (1) or opens (0) a ticket: 1; 2, and the client gets a new one; 0: a whole handshake. */
static int ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                  EVP_MAC_CTX *mac, int seal)
{
    edo__tls *c = SSL_get_app_data(ssl);
    ticket_key k;
    int rc = 1;
    if (seal) {
        if (sealing_key(&c->config->tickets, &k) < 0 || RAND_bytes(iv, EVP_MAX_IV_LENGTH) != 1)
            return -1;
        memcpy(name, k.name, TICKET_NAME);
    } else {
        rc = opening_key(&c->config->tickets, name, &k);
        if (rc > 0 && SSL_version(ssl) >= TLS1_3_VERSION)
            rc = 2; /* the one it has used is for one use */
    }
    if (rc > 0 && !use_key(&k, iv, cipher, mac, seal))
        rc = -1;
    OPENSSL_cleanse(&k, sizeof k);
    return rc;
}

void edo__tls_set_tickets(SSL_CTX *ctx)
{
    SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, ticket);
}
