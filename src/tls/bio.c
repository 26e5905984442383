/* SPDX-License-Identifier: MIT */
/* Where OpenSSL reads and writes: two buffers in memory. Neither side ever waits or calls the kernel.
 * OpenSSL keeps what it has of a record itself, so when it asks for more the input is empty. */
#include "internal.h"

#include <errno.h>
#include <openssl/bio.h>
#include <stdlib.h>
#include <string.h>

bool edo__tls_reserve(buffer *b, size_t n)
{
    if (b->cap - b->end >= n)
        return true;
    if (b->start > 0) {
        memmove(b->data, b->data + b->start, b->end - b->start);
        b->end -= b->start;
        b->start = 0;
        if (b->cap - b->end >= n)
            return true;
    }
    size_t cap = b->cap < 512 ? 512 : b->cap;
    while (cap - b->end < n)
        cap *= 2;
    char *data = realloc(b->data, cap);
    if (data == NULL)
        return false;
    b->data = data;
    b->cap = cap;
    return true;
}

void edo__tls_buffer_free(buffer *b)
{
    free(b->data);
    *b = (buffer){ 0 };
}

static int bio_read(BIO *bio, char *out, size_t n, size_t *got)
{
    edo__tls *c = BIO_get_data(bio);
    /* pairs with the release in edo__tls_input() */
    size_t have = edo__aload(&c->in.end, EDO__ACQ) - c->in.start;
    BIO_clear_retry_flags(bio);
    if (have == 0) {
        BIO_set_retry_read(bio);
        *got = 0;
        return 0;
    }
    if (n > have)
        n = have;
    memcpy(out, c->in.data + c->in.start, n);
    c->in.start += n;
    *got = n;
    return 1;
}

static int bio_write(BIO *bio, const char *data, size_t n, size_t *done)
{
    edo__tls *c = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (!edo__tls_reserve(&c->pending, n)) {
        c->no_memory = true;
        *done = 0;
        return 0;
    }
    memcpy(c->pending.data + c->pending.end, data, n);
    c->pending.end += n;
    edo__astore(&c->has_pending, true, EDO__SC); /* pairs with the load in edo__tls_flush() */
    *done = n;
    return 1;
}

static long bio_ctrl(BIO *bio, int what, long n, void *p)
{
    (void)bio, (void)n, (void)p;
    return what == BIO_CTRL_FLUSH;
}

#define BIO_KIND (BIO_TYPE_SOURCE_SINK | 101) /* below 128, where those made at run time begin */

BIO_METHOD *edo__tls_bio_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_KIND, "edo stream");
    if (method == NULL)
        return NULL;
    BIO_meth_set_read_ex(method, bio_read);
    BIO_meth_set_write_ex(method, bio_write);
    BIO_meth_set_ctrl(method, bio_ctrl);
    return method;
}

int edo__tls_bio_attach(edo__tls *c)
{
    BIO *bio = BIO_new(c->setup->bio);
    if (bio == NULL)
        return -ENOMEM;
    BIO_set_data(bio, c);
    BIO_set_init(bio, 1);
    SSL_set_bio(c->ssl, bio, bio);
    return 0;
}
