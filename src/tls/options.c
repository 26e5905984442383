/* SPDX-License-Identifier: MIT */
/* The options, copied into one block: a first pass counts, the same code copies in a second. */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef struct cursor {
    char *at; /* NULL: only count */
    size_t used;
} cursor;

static void *place(cursor *k, const void *from, size_t n)
{
    void *to = k->at != NULL ? k->at + k->used : NULL;
    if (to != NULL && n > 0)
        memcpy(to, from, n);
    k->used += (n + 7) & ~(size_t)7;
    return to;
}

static void place_text(cursor *k, const char **text)
{
    if (*text != NULL)
        *text = place(k, *text, strlen(*text) + 1);
}

static void place_certificates(cursor *k, edo_tls_options *o)
{
    const edo_tls_certificate *from = o->certificates;
    edo_tls_certificate *to = place(k, from, o->n_certificates * sizeof *to);
    for (size_t i = 0; i < o->n_certificates; i++) {
        edo_tls_certificate c = from[i];
        place_text(k, &c.cert_file);
        place_text(k, &c.key_file);
        place_text(k, &c.cert_pem);
        place_text(k, &c.key_pem);
        place_text(k, &c.password);
        place_text(k, &c.ocsp_file);
        if (to != NULL)
            to[i] = c;
    }
    o->certificates = to;
}

static void place_alpn(cursor *k, edo_tls_options *o)
{
    const char *const *from = o->alpn;
    const char **to = place(k, from, o->n_alpn * sizeof *to);
    for (size_t i = 0; i < o->n_alpn; i++) {
        const char *name = from[i];
        place_text(k, &name);
        if (to != NULL)
            to[i] = name;
    }
    o->alpn = to;
}

static edo_tls_options place_all(cursor *k, const edo_tls_options *from)
{
    edo_tls_options o = *from;
    place_text(k, &o.ca_file);
    place_text(k, &o.ca_dir);
    place_text(k, &o.ca_pem);
    place_text(k, &o.crl_file);
    place_text(k, &o.ciphers);
    place_text(k, &o.ciphersuites);
    place_text(k, &o.groups);
    place_certificates(k, &o);
    place_alpn(k, &o);
    return o;
}

edo_tls_options *edo__tls_options_copy(const edo_tls_options *o)
{
    static const edo_tls_options defaults;
    if (o == NULL)
        o = &defaults;
    cursor k = { .used = sizeof *o };
    (void)place_all(&k, o);
    k.at = malloc(k.used);
    if (k.at == NULL)
        return NULL;
    edo_tls_options *copy = (edo_tls_options *)(void *)k.at;
    k.used = sizeof *o;
    *copy = place_all(&k, o);
    return copy;
}

int edo__tls_alpn_wire(const edo_tls_options *o, unsigned char *out, unsigned *len)
{
    size_t used = 0;
    for (size_t i = 0; i < o->n_alpn; i++) {
        size_t n = o->alpn[i] != NULL ? strlen(o->alpn[i]) : 0;
        if (n == 0 || n > 255 || used + n + 1 > 65535)
            return -EINVAL;
        if (out != NULL) {
            out[used] = (unsigned char)n;
            memcpy(out + used + 1, o->alpn[i], n);
        }
        used += n + 1;
    }
    *len = (unsigned)used;
    return 0;
}
